"""A policy is a Policy or its fields, wherever Python takes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import pytest

from meshflow_grpc import (
    CircuitBreakerConfig,
    DurableWorkflowExecutor,
    HumanInLoopConfig,
    Mesh,
    NodeInput,
    Policy,
    PolicyMode,
    RiskTier,
    StateGraph,
    StepRuntime,
    WorkflowDefinition,
)
from meshflow_grpc.domain.errors import InvalidRequestError, InvalidWorkflowError, RunConflictError
from meshflow_grpc.domain.policy import PolicyRule, RuleEffect
from meshflow_grpc.domain.workflow import Node
from meshflow_grpc.governance.policy_document import policy_document
from meshflow_grpc.governance.policy_fields import request_policy

if TYPE_CHECKING:
    from pathlib import Path

POLICY = Policy(
    mode=PolicyMode.REGULATED,
    budget_usd=5.0,
    circuit_breaker=CircuitBreakerConfig(failure_threshold=3),
    human_in_loop=HumanInLoopConfig(enabled=True, tier_threshold=RiskTier.EXTERNAL_IO),
    denied_tools=("shell",),
    rules=(PolicyRule("none", RuleEffect.DENY, "risk == irreversible"),),
)
FIELDS = {
    "mode": "regulated",
    "budget_usd": 5.0,
    "circuit_breaker": {"failure_threshold": 3},
    "human_in_loop": {"enabled": True, "tier_threshold": "external_io"},
    "denied_tools": ["shell"],
    "rules": [{"name": "none", "effect": "deny", "expression": "risk == irreversible"}],
}


class State(TypedDict):
    """What a graph's run knows."""

    count: int


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_LEDGER_DB", str(tmp_path / "ledger.db"))


def _workflow(policy: Any = None) -> WorkflowDefinition:
    return WorkflowDefinition("one", policy=policy).add_node("a", role="EXECUTOR")


def test_a_policy_and_its_fields_are_one() -> None:
    """What differs from the defaults is what a request or a definition gives."""
    assert policy_document(POLICY) == policy_document(FIELDS) == FIELDS
    assert policy_document(Policy()) == policy_document(None) == {}
    assert request_policy(POLICY) == request_policy(FIELDS)
    assert _workflow(POLICY).to_yaml() == _workflow(FIELDS).to_yaml()


async def test_every_way_to_run_takes_both() -> None:
    """And both stop the run where they should."""
    poor = Policy(budget_usd=1e-7)
    graph = StateGraph(State).add_node("a", lambda _: {}).set_entry_point("a")
    assert graph.compile(policy=POLICY).workflow.policy == graph.compile(policy=FIELDS).workflow.policy == FIELDS
    ended = [
        await _workflow().run("task", policy=poor),
        await _workflow(poor).run("task"),
        await Mesh().run_workflow(_workflow(), "task", policy=poor),
        await DurableWorkflowExecutor(run_id="poor").run(_workflow(), "task", policy=poor),
    ]
    assert [(each.status, each.blocked_by) for each in ended] == [("blocked", "budget_check")] * 4
    assert (await StepRuntime(policy=poor).run(NodeInput(Node("a"), "task"))).blocked_by == "budget_check"


async def test_what_is_no_policy_is_refused_where_it_is_given() -> None:
    """By the field's name, also in a Policy, which checks nothing itself."""
    wrong: Any = Policy(budget_usd="much")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError, match=r"policy\.budget_usd"):
        StepRuntime(policy=wrong)
    with pytest.raises(InvalidRequestError, match=r"policy\.budget_usd"):
        await _workflow().run("task", policy=wrong)
    with pytest.raises(InvalidWorkflowError, match=r"policy\.budget_usd"):
        _workflow(wrong).build()
    with pytest.raises(TypeError, match="must be a Policy or the fields of one, not int"):
        await _workflow().run("task", policy=5)  # type: ignore[arg-type]


async def test_a_durable_run_goes_on_under_its_own_policy_only() -> None:
    """Another one is refused, not ignored; none given is the one it has. So is a decision of nobody, and a run that was cleared."""
    executor = DurableWorkflowExecutor(run_id="mine")
    first = await executor.run(_workflow(), "task", policy={"budget_usd": 0.5})
    assert await executor.run(_workflow(), "task", policy=Policy(budget_usd=0.5)) == first
    assert await executor.run(_workflow(), "task") == first
    with pytest.raises(RunConflictError, match="another policy"):
        await executor.run(_workflow(), "task", policy={"budget_usd": 0.25})
    with pytest.raises(InvalidRequestError, match="reviewer"):
        await executor.decide("approve", reviewer=" ")
    await executor.clear()
    with pytest.raises(RunConflictError, match="was cleared or erased"):
        await executor.run(_workflow(), "task")
    with pytest.raises(RunConflictError, match="was cleared or erased"):
        await executor.resume()
