"""Workflows survive YAML and JSON unchanged, and their digest tells any two apart."""

from __future__ import annotations

import dataclasses
import json

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import END, START, Edge, JoinRule, Node, NodeKind, Workflow
from meshflow_grpc.workflow.digest import from_json, to_json, workflow_digest
from meshflow_grpc.workflow.yaml_codec import dump_workflow, load_workflow
from tests.unit.workflow.generated import workflows

_SETTINGS = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

WORKFLOW = Workflow(
    name="pipeline",
    version="2",
    description="Everything at once",
    policy={"budget_usd": 2.5, "compliance": ["sox"], "circuit_breaker": {"max_retries": 1}},
    nodes=(
        Node("a", role="RESEARCHER", timeout_s=1.5, max_retries=2, config={"system": "line\nline", "mock": {"x": 0.1}}),
        Node("b", kind=NodeKind.HTTP, risk=RiskTier.EXTERNAL_IO, config={"url": "http://svc/x", "method": "POST"}),
        Node("c", kind=NodeKind.HUMAN, join=JoinRule.ANY, sla_ms=5, output_schema={"type": "object"}),
    ),
    edges=(
        Edge(START, "a"),
        Edge("a", "b"),
        Edge("a", "c", "quality_score >= 0.8"),
        Edge("b", "c"),
        Edge("b", "a", "iteration < 2", 3),
        Edge("c", END),
    ),
)


@given(workflows())
@_SETTINGS
def test_load_inverts_dump(workflow: Workflow) -> None:
    """Everything a workflow says is in its YAML, and comes back equal."""
    assert load_workflow(dump_workflow(workflow)) == workflow


@given(workflows())
@_SETTINGS
def test_from_json_inverts_to_json(workflow: Workflow) -> None:
    """The stored definition rebuilds the workflow, through real JSON text without floats."""
    text = json.dumps(to_json(workflow))
    assert from_json(json.loads(text, parse_float=lambda _: pytest.fail("a float was written"))) == workflow


@given(workflows())
@_SETTINGS
def test_the_digest_survives_yaml(workflow: Workflow) -> None:
    """A definition has the digest of its YAML."""
    assert workflow_digest(load_workflow(dump_workflow(workflow))) == workflow_digest(workflow)


def test_a_workflow_with_every_feature_round_trips() -> None:
    """Joins, START and END, loops and all kinds of fields in one workflow."""
    assert load_workflow(dump_workflow(WORKFLOW)) == WORKFLOW
    assert from_json(to_json(WORKFLOW)) == WORKFLOW


def test_written_yaml_means_the_same_to_other_readers() -> None:
    """What is text here is text to a YAML 1.1 reader too."""
    node = Node("a", config={"system": "no", "prompt": "1e3", "model": "2024-01-01", "tools": ["0o17", "~", "yes"]})
    text = dump_workflow(Workflow("w", (node,), entry="a"))
    assert yaml.safe_load(text)["nodes"]["a"]["tools"] == ["0o17", "~", "yes"]
    assert load_workflow(text).node("a").config == node.config


def _variants() -> list[Workflow]:
    first, *rest = WORKFLOW.nodes
    replace = dataclasses.replace
    changes = [
        {"role": "X"},
        {"risk": RiskTier.READ_ONLY},
        {"timeout_s": 1.0},
        {"max_retries": 3},
        {"sla_ms": 7},
        {"output_schema": {}},
        {"config": {**first.config, "mock": {"x": 0.2}}},
        {"config": {**first.config, "mock": {"x": "0.1"}}},
    ]
    nodes = [replace(WORKFLOW, nodes=(replace(first, **change), *rest)) for change in changes]  # type: ignore[arg-type]
    top = [{"name": "p"}, {"version": "3"}, {"description": ""}, {"policy": {}}, {"edges": WORKFLOW.edges[:-1]}]
    return [*nodes, *(replace(WORKFLOW, **change) for change in top)]  # type: ignore[arg-type]


def test_the_digest_covers_every_field() -> None:
    """Any change of any field changes the digest."""
    digests = {workflow_digest(workflow) for workflow in (WORKFLOW, *_variants())}
    assert len(digests) == 1 + len(_variants())


def test_the_digest_is_fixed() -> None:
    """The digest of a definition is part of stored ledgers: it must not change between releases."""
    workflow = Workflow("w", (Node("a", timeout_s=0.5),), entry="a")
    assert workflow_digest(workflow) == "b896a691477a2f2e9d10dbc191d2ebaca13f266910fc5c6551be936023cceb7f"


def test_another_format_is_refused() -> None:
    """A definition of an unknown format is not guessed at."""
    with pytest.raises(ValueError, match=r"meshflow\.workflow\.v9"):
        from_json({**to_json(WORKFLOW), "format": "meshflow.workflow.v9"})
