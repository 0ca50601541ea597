"""The published JSON Schema, the pictures and the packaged workflows."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from meshflow_grpc.domain.errors import WorkflowNotFoundError
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import Edge, NodeKind
from meshflow_grpc.workflow.catalog import packaged_names, packaged_workflow
from meshflow_grpc.workflow.compiled import compile_workflow
from meshflow_grpc.workflow.document import to_document
from meshflow_grpc.workflow.graph_render import to_dot, to_mermaid
from meshflow_grpc.workflow.schema import KIND_FIELDS, NODE_FIELDS, any_node_schema, workflow_schema
from meshflow_grpc.workflow.shape import check
from meshflow_grpc.workflow.yaml_codec import load_workflow
from tests.unit.workflow.drawing import draw
from tests.unit.workflow.test_yaml_round_trips import WORKFLOW


def _kinds(schema: dict[str, Any]) -> dict[str, Any]:
    options = schema["properties"]["nodes"]["additionalProperties"]["allOf"]
    return {option["if"]["properties"]["kind"]["const"]: option["then"] for option in options}


def test_every_accepted_key_is_in_the_schema() -> None:
    """Each kind's schema has exactly the common keys and its own; the document's keys are those that are written."""
    schema = workflow_schema()
    kinds = _kinds(schema)
    assert set(kinds) == {kind.value for kind in NodeKind}
    for kind in NodeKind:
        assert set(kinds[kind.value]["properties"]) == {*NODE_FIELDS, *KIND_FIELDS[kind]}
        assert kinds[kind.value]["additionalProperties"] is False
    assert set(to_document(WORKFLOW)) <= set(schema["properties"])
    assert json.loads(json.dumps(schema)) == schema


def test_the_packaged_schema_is_the_schema() -> None:
    """Editors read the file that ships; ``meshflow workflow schema`` writes it."""
    file = resources.files("meshflow_grpc").joinpath("workflows", "workflow.schema.json")
    assert json.loads(file.read_text(encoding="utf-8")) == workflow_schema()


def test_every_key_of_the_schema_is_accepted() -> None:
    """No key of the schema is unknown to the check that the codec makes."""
    for kind, schema in _kinds(workflow_schema()).items():
        document: dict[str, Any] = dict.fromkeys(schema["properties"])
        for checked in (schema, any_node_schema()):
            assert not [item for item in check(document, checked) if "unknown key" in item.message], kind


def test_every_key_is_described_for_editors() -> None:
    """Each field of nodes and edges carries a sentence."""
    fields = {
        **any_node_schema()["properties"],
        **workflow_schema()["properties"]["edges"]["items"]["oneOf"][1]["properties"],
    }
    assert [name for name, field in fields.items() if not field.get("description")] == []


def test_mermaid_shows_nodes_conditions_and_back_edges() -> None:
    """Conditions label edges, text is escaped, back edges are dotted with their bound."""
    picture = to_mermaid(draw("a -> b", Edge("b", "a", 'q < 0.8 && v != "x"', 2), Edge("b", "c", "q >= 0.8")))
    assert picture == (
        "flowchart TD\n"
        '    n0["a (agent, internal)"]\n'
        '    n1["b (agent, internal)"]\n'
        '    n2["c (agent, internal)"]\n'
        '    start_(["start"])\n'
        "    start_ --> n0\n"
        "    n0 --> n1\n"
        '    n1 -.->|"q #lt; 0.8 && v != #quot;x#quot;, at most 2 times"| n0\n'
        '    n1 -->|"q #gt;= 0.8"| n2\n'
    )


def test_dot_shows_the_same_graph() -> None:
    """The DOT text names every node and edge once and escapes quotes."""
    picture = to_dot(draw("a -> b", Edge("b", "a", 'v != "x"', 2)))
    assert 'n1 -> n0 [label="v != \\"x\\", at most 2 times", style=dashed, constraint=false];' in picture
    assert picture.startswith('digraph "drawn" {\n')
    assert picture.count("->") == 3


def test_the_default_workflow_is_researcher_then_writer() -> None:
    """It has two internal agents with a system prompt and a bounded answer, and compiles."""
    workflow = packaged_workflow("default")
    assert [node.id for node in workflow.nodes] == ["researcher", "writer"]
    assert workflow.edges == (Edge("researcher", "writer"),)
    for node in workflow.nodes:
        assert node.kind is NodeKind.AGENT
        assert node.risk is RiskTier.INTERNAL
        assert node.config["max_output_tokens"] == 1024
        assert node.config["system"]


@pytest.mark.parametrize("name", packaged_names())
def test_packaged_workflows_compile_under_their_file_name(name: str) -> None:
    """Every packaged file is valid and named like its file."""
    assert compile_workflow(packaged_workflow(name)).workflow.name == name


def test_the_documented_example_is_valid_and_complete() -> None:
    """The file in docs/workflow-yaml.md loads, and the page names every key that is accepted."""
    page = (Path(__file__).parents[3] / "docs" / "workflow-yaml.md").read_text(encoding="utf-8")
    compiled = compile_workflow(load_workflow(page.split("```yaml\n")[1].split("```")[0]))
    assert compiled.graph.conditional_targets("quality_gate") == ("writer", "publisher")
    keys = {*workflow_schema()["properties"], *any_node_schema()["properties"], "condition", "max_iterations"}
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []


def test_an_unknown_packaged_workflow_names_its_neighbour() -> None:
    """A misspelt name is answered with the nearest one."""
    with pytest.raises(WorkflowNotFoundError, match="did you mean 'default'"):
        packaged_workflow("defualt")
