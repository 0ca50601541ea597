"""WorkflowDefinition: the builder, YAML and the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from meshflow_grpc import END, START, Registry, ReplayLedger, WorkflowDefinition, WorkflowResult
from meshflow_grpc.domain.errors import InvalidRequestError, InvalidWorkflowError
from meshflow_grpc.domain.workflow import Edge, Node, Workflow
from tests.unit.workflow.generated import workflows


def _pipeline() -> WorkflowDefinition:
    return (
        WorkflowDefinition("pipeline", policy={"budget_usd": 5.0})
        .add_node(Node("researcher", role="RESEARCHER"))
        .add_node("analyst_a", role="EXECUTOR")
        .add_node("analyst_b", role="EXECUTOR")
        .add_node("writer", role="EXECUTOR")
        .add_node("quality_gate", role="CRITIC", mock={"scores": [0.5]})
        .add_node("publisher", role="ORCHESTRATOR")
        .add_edge("researcher", "analyst_a")
        .add_edge("researcher", "analyst_b")
        .add_edge("analyst_a", "writer")
        .add_edge("analyst_b", "writer")
        .add_edge("writer", "quality_gate")
        .add_conditional_edge(source="quality_gate", target="writer", condition="quality_score < 0.8")
        .add_conditional_edge(source="quality_gate", target="publisher", condition="quality_score >= 0.8")
    )


def test_an_edge_that_leads_back_is_bounded() -> None:
    """The condition that returns to the writer gets the definition's bound; the forward one none."""
    workflow = _pipeline().build()

    assert workflow.entry == "researcher"
    assert workflow.edges[-2] == Edge("quality_gate", "writer", "quality_score < 0.8", 2)
    assert workflow.edges[-1].max_iterations is None


def test_several_starts_and_ends_are_explicit() -> None:
    """Nodes that no edge leads to all start."""
    workflow = WorkflowDefinition().add_node("a").add_node("b").add_node("c")
    built = workflow.add_edge("a", "c").add_edge("b", "c").add_edge("c", END).build()

    assert [edge.target for edge in built.edges if edge.source == START] == ["a", "b"]
    assert built.entry == ""


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(workflows())
def test_yaml_keeps_everything(workflow: Workflow) -> None:
    """Any valid workflow is the same after from_yaml(to_yaml())."""
    definition = WorkflowDefinition.of(workflow)

    assert WorkflowDefinition.from_yaml(definition.to_yaml()).build() == workflow


def test_files_are_written_and_read(tmp_path: Path) -> None:
    """to_yaml(path) writes what from_yaml(path) reads, and returns it."""
    path = tmp_path / "out.yaml"

    text = _pipeline().to_yaml(path=path)

    assert path.read_text() == text
    assert WorkflowDefinition.from_yaml(str(path)).build() == _pipeline().build()


def test_an_unknown_field_is_named_with_the_nearest() -> None:
    """A misspelt field of a node is refused where it is written."""
    with pytest.raises(InvalidWorkflowError, match=r"nodes\.a\.sytem.*system"):
        WorkflowDefinition().add_node("a", sytem="Be brief.")


def test_wrong_graphs_are_refused() -> None:
    """Twice the same node, a dangling edge and a cycle without a condition."""
    with pytest.raises(ValueError, match="two nodes named 'a'"):
        WorkflowDefinition().add_node("a").add_node("a")
    with pytest.raises(InvalidWorkflowError, match="nowhere"):
        WorkflowDefinition().add_node("a").add_edge("a", "nowhere").build()
    with pytest.raises(InvalidWorkflowError, match="cycle"):
        WorkflowDefinition().add_node("a").add_node("b").add_edge("a", "b").add_edge("b", "a").build()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The offline model, and nothing else from the environment."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")


@pytest.mark.usefixtures("offline")
async def test_a_run_is_governed_and_recorded(tmp_path: Path) -> None:
    """The quality loop ends at its bound, and the ledger has a valid chain of it."""
    ledger = str(tmp_path / "runs.db")

    result = await _pipeline().run(input="Assess storage", ledger=ledger)

    assert isinstance(result, WorkflowResult)
    assert (result.status, result.output[:9]) == ("completed", "Published")
    assert result.total_cost_usd > 0
    replay = ReplayLedger(ledger)
    assert await replay.verify_chain(result.run_id)
    committed = [entry.node_id for entry in await replay.get_run(result.run_id) if entry.kind == "step_committed"]
    assert committed.count("writer") == 3


@pytest.mark.usefixtures("offline")
async def test_functions_come_from_the_registry_and_policies_from_the_call(tmp_path: Path) -> None:
    """A python node gets the input; a policy that is too tight blocks; an unknown policy field is refused."""
    registry = Registry()
    registry.function("shout")(lambda data: str(data["task"]).upper())
    definition = WorkflowDefinition().add_node("shout", kind="python", ref="shout")

    result = await definition.run("ebb", registry=registry, ledger=str(tmp_path / "a.db"))
    assert (result.status, result.output) == ("completed", "EBB")
    with pytest.raises(InvalidRequestError, match="budget_usd"):
        await definition.run("ebb", policy={"budget": 1}, registry=registry, ledger=str(tmp_path / "a.db"))
    blocked = await _pipeline().run("x", policy={"max_steps": 2}, ledger=str(tmp_path / "b.db"))
    assert (blocked.status, blocked.blocked_by) == ("blocked", "budget_check")
