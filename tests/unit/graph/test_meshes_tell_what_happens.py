"""Mesh, Agent and StepRuntime: agents by name, handlers, and single steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshflow_grpc import (
    Agent,
    HumanInLoopConfig,
    Mesh,
    MeshEvent,
    NodeInput,
    Policy,
    Registry,
    ReplayLedger,
    RiskTier,
    StepRuntime,
    WorkflowDefinition,
    tool,
)
from meshflow_grpc.domain.errors import InvalidWorkflowError
from meshflow_grpc.domain.event import RunEvent
from meshflow_grpc.domain.workflow import Node, NodeKind


@pytest.fixture(autouse=True)
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The offline model and a ledger of its own."""
    monkeypatch.setenv("MESHFLOW_MOCK", "1")
    monkeypatch.setenv("MESHFLOW_LEDGER_DB", str(tmp_path / "mesh.db"))
    return str(tmp_path / "mesh.db")


@tool(risk="read_only", labels=())
def look() -> str:
    """Looks."""
    return "seen"


PAIR = WorkflowDefinition("pair").add_node("writer").add_node("critic", role="CRITIC").add_edge("writer", "critic")


async def test_handlers_hear_every_event_in_order() -> None:
    """Plain and coroutine functions; one that raises changes nothing."""
    heard: list[tuple[str, str | None]] = []

    async def later(event: RunEvent) -> None:
        heard.append((event.event_type.value, event.node_id))

    def broken(event: RunEvent) -> None:
        raise ZeroDivisionError(event.run_id)

    mesh = Mesh()
    for kind in MeshEvent:
        mesh.on(kind, broken)
        mesh.on(kind, later)

    result = await mesh.run_workflow(PAIR, "tides")

    assert result.status == "completed"
    assert heard == [
        ("run_started", None),
        ("agent_completed", "writer"),
        ("agent_completed", "critic"),
        ("run_completed", None),
    ]


async def test_violations_are_told() -> None:
    """A step that governance refuses is a policy violation, with the stage and the reason."""
    heard: list[RunEvent] = []
    mesh = Mesh()
    mesh.on(MeshEvent.POLICY_VIOLATION, heard.append)

    result = await mesh.run_workflow(PAIR, "tides", policy={"max_steps": 1})

    assert (result.status, result.blocked_by) == ("blocked", "budget_check")
    (violation,) = heard
    assert (violation.node_id, violation.blocked_by) == ("critic", "budget_check")


async def test_a_registered_agent_executes_the_nodes_of_its_name(ledger: str) -> None:
    """It brings role, instructions, tools and risk; the workflow's own words win."""
    mesh = Mesh()
    mesh.register(Agent("writer", role="EXECUTOR", system="Write.", tools=[look], risk=RiskTier.EXTERNAL_IO))
    mesh.register(Agent("critic", role="OTHER"))

    result = await mesh.run_workflow(PAIR, "tides")

    ends = {e.node_id: e.facts for e in await ReplayLedger(ledger).get_run(result.run_id) if e.kind == "step_committed"}
    assert (ends["writer"]["role"], ends["writer"]["risk"]) == ("EXECUTOR", "external_io")
    assert ends["critic"]["role"] == "CRITIC"


def test_wrong_agents_are_refused_when_they_are_registered() -> None:
    """A name twice, a name that is none, a function that is no tool."""
    mesh = Mesh()
    mesh.register(Agent("writer"))
    with pytest.raises(ValueError, match="two agents"):
        mesh.register(Agent("writer"))
    with pytest.raises(InvalidWorkflowError, match="not a valid name"):
        mesh.register(Agent("not a name"))
    with pytest.raises(TypeError, match="not a tool"):
        mesh.register(Agent("other", tools=[len]))
    with pytest.raises(ValueError, match="nothing"):
        mesh.on("nothing", print)  # type: ignore[arg-type]


async def test_a_refused_step_is_an_outcome() -> None:
    """Denied and paused steps are told, not raised; nodes other than agents work too."""
    risky = NodeInput(Agent("publisher", risk=RiskTier.EXTERNAL_IO), "tides", {"writer": "a draft"})
    human = HumanInLoopConfig(enabled=True, tier_threshold=RiskTier.EXTERNAL_IO)

    paused = await StepRuntime(policy=Policy(human_in_loop=human)).run(risky)
    denied = await StepRuntime(policy=Policy(budget_usd=0.000001)).run(risky)
    called = await StepRuntime(registry=Registry(look)).run(
        NodeInput(Node("look", NodeKind.TOOL, config={"tool": "look"}), "")
    )

    assert (paused.verdict, denied.verdict, called.verdict) == ("paused", "denied", "committed")
    assert paused.pending_approval is not None
    assert denied.blocked_by == "budget_check"
    assert called.output == "seen"
