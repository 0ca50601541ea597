"""A tool declared for some tenants acts for no other: not offered, not called, and a pre-flight says so."""

from __future__ import annotations

import pytest

from meshflow_grpc import Registry, tool
from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import ALICE, World, make_world

NODE = "name: n\nentry: read\nnodes:\n  read: {kind: tool, tool: records}\n"
AGENT = "name: a\nentry: writer\nnodes:\n  writer: {kind: agent, tools: [records]}\n"
BOB = Principal("bob", "umbrella", method="test")


def with_records(calls: list[str]) -> World:
    """A world whose tool reads the records of tenant umbrella."""

    @tool(risk="read_only", labels=(), tenants="umbrella")
    def records() -> str:
        """Reads records."""
        calls.append("read")
        return "their records"

    return make_world(FakeProvider(), tools=Registry(records))


async def test_a_node_that_calls_it_is_denied_in_stage_two() -> None:
    """Its own tenant may."""
    calls: list[str] = []
    world = with_records(calls)
    run = await world.run(workflow_yaml=NODE)
    theirs = await world.runtime.commands.run.execute(BOB, RunRequest(task="x", workflow_yaml=NODE))

    assert (run.status, run.blocked_by) == (RunStatus.BLOCKED, "tenant_scoping")
    assert "use a tool of the run's tenant" in (run.reason or "")
    assert (theirs.status, calls) == (RunStatus.COMPLETED, ["read"])


async def test_an_agent_is_not_offered_it() -> None:
    """The model of another tenant's run does not even learn that it exists."""
    world = with_records([])
    await world.run(workflow_yaml=AGENT)
    await world.runtime.commands.run.execute(BOB, RunRequest(task="x", workflow_yaml=AGENT))

    assert [[spec.name for spec in r.tools] for r in world.provider.requests] == [[], ["records"]]


async def test_a_pre_flight_says_so() -> None:
    """Before anything runs."""
    world = with_records([])
    request = RunRequest(task="x", workflow_yaml=NODE)
    ours = await world.runtime.commands.check_run.execute(ALICE, request)
    theirs = await world.runtime.commands.check_run.execute(BOB, request)

    assert [(v.field, v.stage) for v in ours.violations] == [("workflow.nodes.read.tool", "tenant_scoping")]
    assert theirs.admissible


@pytest.mark.parametrize("tenants", [(), ("",), ""])
def test_a_declaration_for_nobody_is_refused(tenants: object) -> None:
    """It would be a tool that nobody can call."""
    with pytest.raises(ValueError, match="at least one tenant"):

        @tool(tenants=tenants)  # type: ignore[arg-type]
        def nobody() -> str:
            """Never."""
            return ""
