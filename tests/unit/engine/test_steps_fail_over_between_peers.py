"""A step goes to the next peer when one cannot take it, and to nobody when it may have been carried out already."""

from __future__ import annotations

import asyncio

import pytest

from meshflow_grpc.domain.mesh import MeshChangeKind
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.governance.policy_fields import parse_policy_fields
from meshflow_grpc.ports.mesh import MeshAccess, PeerFailedError, PeerRefusedError
from tests.fakes.peers import GONE, LOST, SILENT, FakeMesh, answer, mesh_node
from tests.unit.engine.conftest import make_world
from tests.unit.engine.peer_flows import flow, step, world_of


async def test_a_dead_peer_is_passed_over_at_once() -> None:
    """Nothing was sent, so the next is asked with the same key, and those who watch are told."""
    mesh = FakeMesh.of(build=GONE, marco=answer())
    world = world_of(mesh)
    run = await world.run(workflow_yaml=flow(", risk: external_io"))

    assert (run.status, run.usage.cost_nano_usd) == (RunStatus.COMPLETED, 5_000)
    assert mesh.asked == ["build.ai", "marco.ai"]
    assert len({call.request_id for _, call in mesh.calls}) == 1
    assert [(kind, slug) for kind, slug, _ in mesh.announced] == [(MeshChangeKind.FAILED_OVER, "marco.ai")]
    assert mesh.recorded == [("build.ai", False), ("marco.ai", True)]


async def test_an_open_breaker_is_not_asked() -> None:
    """The next candidate takes the step; with none left the step fails."""
    mesh = FakeMesh.of(build=answer(), marco=answer("by marco"))
    mesh.open.add("build.ai")
    world = world_of(mesh)
    run = await world.run(workflow_yaml=flow())
    mesh.open.add("marco.ai")
    failed = await world.run(workflow_yaml=flow())

    assert (run.output, mesh.asked) == ("by marco", ["marco.ai"])
    assert failed.status is RunStatus.FAILED
    assert "build.ai: its circuit breaker is open" in (failed.reason or "")


async def test_a_peer_that_is_lost_is_asked_again_first() -> None:
    """The same request finds the same run there."""
    mesh = FakeMesh.of(build=[LOST, answer()], marco=answer("by marco"))
    world = world_of(mesh)
    run = await world.run(workflow_yaml=flow())

    assert (run.output, mesh.asked) == ("built", ["build.ai", "build.ai"])
    assert run.usage.cost_nano_usd == 5_000
    assert mesh.calls[0][1] == mesh.calls[1][1]


async def test_a_step_without_effects_goes_on_at_another_peer() -> None:
    """What the lost peer may have used is charged."""
    mesh = FakeMesh.of(build=LOST, marco=answer("by marco"))
    world = world_of(mesh)
    policy = parse_policy_fields({"budget_usd": 1.0, "circuit_breaker": {"max_retries": 0}})
    run = await world.run(workflow_yaml=flow(), policy=policy)

    assert (run.output, mesh.asked) == ("by marco", ["build.ai", "marco.ai"])
    assert run.usage.cost_nano_usd == 250_000_000 + 5_000


@pytest.mark.parametrize("lost", [LOST, PeerFailedError("it broke")])
async def test_a_step_that_may_have_acted_waits_for_a_person(lost: Exception) -> None:
    """Nobody else is asked before a person says so; then the same peer first."""
    mesh = FakeMesh.of(build=lost, marco=answer("by marco"))  # type: ignore[arg-type]
    world = world_of(mesh)
    policy = parse_policy_fields({"circuit_breaker": {"max_retries": 0}})
    run = await world.run(workflow_yaml=flow(", risk: external_io"), policy=policy)
    waiting = run.pending_approval

    assert (run.status, mesh.asked) == (RunStatus.PAUSED, ["build.ai"])
    assert waiting is not None
    assert "IN_DOUBT" in waiting.reason

    await world.approve(waiting.approval_id)
    run = await world.settled(run.run_id)
    assert (run.status, run.output) == (RunStatus.COMPLETED, "by marco")
    assert mesh.asked == ["build.ai", "build.ai", "marco.ai"]


async def test_a_step_in_doubt_is_cleared_by_nobody_but_a_person() -> None:
    """Not by the clock, even where the policy lets the clock approve."""
    mesh = FakeMesh.of(build=LOST, marco=answer("by marco"))
    world = world_of(mesh)
    human = {"timeout_s": 0.001, "on_timeout": "approve"}
    policy = parse_policy_fields({"circuit_breaker": {"max_retries": 0}, "human_in_loop": human})
    run = await world.run(workflow_yaml=flow(", risk: external_io"), policy=policy)
    while not await world.runtime.expiry.expire():
        pass
    run = await world.settled(run.run_id)

    assert run.status is RunStatus.PAUSED
    assert set(mesh.asked) == {"build.ai"}


@pytest.mark.parametrize("reason", ["DRAINING", "UNAUTHENTICATED", "WORKFLOW_NOT_FOUND"])
async def test_a_refusal_before_anything_ran_passes_the_step_on(reason: str) -> None:
    """Whatever the tier: nothing happened there."""
    mesh = FakeMesh.of(build=PeerRefusedError("no", reason=reason), marco=answer("by marco"))
    world = world_of(mesh)
    run = await world.run(workflow_yaml=flow(", risk: irreversible"))

    assert (run.output, mesh.asked) == ("by marco", ["build.ai", "marco.ai"])
    assert mesh.recorded[0] == ("build.ai", reason != "DRAINING")


async def test_a_refusal_by_all_fails_the_step() -> None:
    """With what each said."""
    mesh = FakeMesh.of(build=PeerRefusedError("no such workflow", reason="WORKFLOW_NOT_FOUND"))
    world = world_of(mesh)
    run = await world.run(workflow_yaml=flow())

    assert (await step(world, run.run_id)).facts["reason"] == "PEER_REFUSED"
    assert "no such workflow" in (run.reason or "")


async def test_no_live_node_fails_the_step() -> None:
    """By name or by concern."""
    run = await world_of(FakeMesh()).run(workflow_yaml=flow())

    assert run.status is RunStatus.FAILED
    assert "no live node" in (run.reason or "")


async def test_another_tenants_node_is_not_asked() -> None:
    """It is as if it were not there."""
    mesh = FakeMesh(nodes=[mesh_node("build.ai", tenant_id="other")], script={"build.ai": [answer()]})
    run = await world_of(mesh).run(workflow_yaml=flow())

    assert (run.status, mesh.calls) == (RunStatus.FAILED, [])


async def test_a_restart_asks_the_same_peer_for_the_same() -> None:
    """The run there went on, and is found by its key; nobody cancelled it."""
    mesh = FakeMesh.of(build=[SILENT, answer()], marco=answer("by marco"))
    world = world_of(mesh)
    policy = parse_policy_fields({"budget_usd": 0.7})
    run_id = await world.start(workflow_yaml=flow(", risk: irreversible"), policy=policy)
    await asyncio.wait_for(mesh.silent.wait(), 60)
    await world.runtime.engine.drain(0)
    again = make_world(storage=world.storage, mesh=MeshAccess(mesh, mesh))
    await again.runtime.engine.recover()
    run = await again.settled(run_id)

    assert (run.status, run.output) == (RunStatus.COMPLETED, "built")
    assert mesh.asked == ["build.ai", "build.ai"]
    assert mesh.calls[0][1] == mesh.calls[1][1]
    assert mesh.cancelled == []


async def test_a_slow_peer_is_told_to_end_and_the_next_is_asked() -> None:
    """timeout_s is per peer; what the slow one used is charged as it said."""
    mesh = FakeMesh.of(build=SILENT, marco=answer("by marco"))
    world = world_of(mesh)
    run = await world.run(workflow_yaml=flow(", timeout_s: 0.05"))

    assert (run.output, mesh.cancelled) == ("by marco", [("build.ai", "run_there")])
    assert run.usage.cost_nano_usd == 10_000
    assert mesh.recorded == [("build.ai", False), ("marco.ai", True)]


async def test_an_empty_budget_asks_nobody_twice() -> None:
    """When the lost peer may have used all that was left, the step ends there."""
    mesh = FakeMesh.of(build=LOST, marco=answer())
    world = world_of(mesh)
    policy = parse_policy_fields({"circuit_breaker": {"max_retries": 0}})
    run = await world.run(workflow_yaml=flow(", budget_share: 1"), policy=policy)

    assert (run.status, mesh.asked) == (RunStatus.BLOCKED, ["build.ai"])
    assert "budget" in (run.reason or "")
