"""A fork has its parent's committed steps up to a point, a chain of its own, and goes on through the engine."""

from __future__ import annotations

import asyncio

import pytest

from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.domain.errors import (
    DrainingError,
    InvalidRequestError,
    PolicyFloorViolatedError,
    RunConflictError,
    RunNotFoundError,
)
from meshflow_grpc.domain.ledger_entry import GENESIS_HASH, EntryKind
from meshflow_grpc.domain.run import Principal, Run, RunStatus
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.governance.floors import ServerFloors, Tier
from meshflow_grpc.ports.storage import RunQuery
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, World, make_world

BOB = Principal("bob", "acme", method="test")
BEFORE_WRITER = ForkPoint(before_node="writer")


async def forked(world: World, run_id: str, point: ForkPoint) -> Run:
    """A fork by bob, at its end."""
    fork = await world.runtime.commands.fork_run.execute(BOB, run_id, point)
    return await world.runtime.commands.wait_run.execute(BOB, fork.run_id, timeout_s=30)


async def test_only_what_follows_the_point_is_executed(world: World) -> None:
    """The writer works again, on what the parent's researcher found; the fork pays for the writer alone."""
    parent = await world.run()
    world.provider.requests.clear()
    fork = await forked(world, parent.run_id, BEFORE_WRITER)
    assert fork.status is RunStatus.COMPLETED
    assert fork.run_id != parent.run_id
    assert [request.agent_id for request in world.provider.requests] == ["writer"]
    assert "researcher done" in world.provider.requests[0].prompt
    assert (fork.usage.steps, parent.usage.steps) == (1, 2)


async def test_the_first_entry_points_at_the_parents_head(world: World) -> None:
    """Both chains verify, the parent's is what it was, and the provenance names place and head of it."""
    parent = await world.run()
    before = await world.entries(parent.run_id)
    fork = await forked(world, parent.run_id, BEFORE_WRITER)
    entries = await world.entries(fork.run_id)
    origin = entries[0].facts["forked_from"]
    assert isinstance(origin, dict)
    assert origin["run_id"] == parent.run_id
    assert origin["head"] == {"sequence": parent.entries, "hash": parent.head_hash}
    assert origin["hash"] == next(e.hash for e in before if e.sequence == origin["sequence"])
    assert entries[0].prev_hash == GENESIS_HASH
    assert entries[0].facts["actor"] == {"principal": "bob", "auth": "test"}
    assert await world.entries(parent.run_id) == before
    for run_id in (parent.run_id, fork.run_id):
        assert await world.runtime.commands.verify_run.execute(ALICE, run_id)


async def test_a_place_in_the_chain_is_a_point_too(world: World) -> None:
    """Before the second entry nothing is kept; before the last one everything is."""
    parent = await world.run()
    world.provider.requests.clear()
    assert (await forked(world, parent.run_id, ForkPoint(before_sequence=2))).status is RunStatus.COMPLETED
    assert [request.agent_id for request in world.provider.requests] == ["researcher", "writer"]
    world.provider.requests.clear()
    whole = await forked(world, parent.run_id, ForkPoint(before_sequence=parent.entries))
    assert (whole.status, whole.output, world.provider.requests) == (RunStatus.COMPLETED, parent.output, [])


async def test_a_fork_is_forked(world: World) -> None:
    """What a fork inherited is inherited again, as far as the point allows."""
    parent = await world.run()
    fork = await forked(world, parent.run_id, BEFORE_WRITER)
    world.provider.requests.clear()
    await forked(world, fork.run_id, BEFORE_WRITER)
    assert [request.agent_id for request in world.provider.requests] == ["writer"]
    world.provider.requests.clear()
    await forked(world, fork.run_id, ForkPoint(before_node="researcher"))
    assert [request.agent_id for request in world.provider.requests] == ["researcher", "writer"]


async def test_a_fork_survives_a_crash() -> None:
    """A new process goes on with it; inherited steps are not executed there either."""
    ids = SequentialIds()
    world = make_world(ids=ids)
    parent = await world.run()
    line, started, _ = gate()
    second = make_world(FakeProvider({"writer": [line]}), storage=world.storage, ids=ids)
    fork = await second.runtime.commands.fork_run.execute(BOB, parent.run_id, BEFORE_WRITER)
    await started.wait()
    for task in second.runtime.engine._tasks:
        task.cancel()
    await asyncio.wait(second.runtime.engine._tasks)
    third = make_world(storage=world.storage, ids=ids)
    await third.runtime.engine.recover()
    run = await third.runtime.commands.wait_run.execute(BOB, fork.run_id, timeout_s=30)
    assert run.status is RunStatus.COMPLETED
    assert [request.agent_id for request in third.provider.requests] == ["writer"]
    kinds = [entry.kind for entry in await third.entries(fork.run_id)]
    assert kinds.count(EntryKind.STEP_COMMITTED) == 1


@pytest.mark.parametrize(
    ("point", "field"),
    [
        ({"before_node": "editor"}, "before_node"),
        ({"before_sequence": 1}, "before_sequence"),
        ({"before_sequence": 99}, "before_sequence"),
        ({"before_sequence": -1}, "before_sequence"),
        ({}, "before_sequence"),
        ({"before_sequence": 2, "before_node": "writer"}, "before_sequence"),
    ],
)
async def test_points_that_do_not_exist_are_refused(world: World, point: dict[str, object], field: str) -> None:
    """By name, and no run is made."""
    parent = await world.run()
    with pytest.raises(InvalidRequestError) as caught:
        await forked(world, parent.run_id, ForkPoint(**point))  # type: ignore[arg-type]
    assert [violation.field for violation in caught.value.violations] == [field]
    assert len((await world.storage.list_runs(RunQuery("acme"))).runs) == 1


async def test_what_cannot_be_forked_is_refused(world: World) -> None:
    """Another tenant's run is not found; an erased one has nothing to go on with; a draining server starts nothing."""
    parent = await world.run()
    eve = Principal("eve", "other", method="test")
    with pytest.raises(RunNotFoundError):
        await world.runtime.commands.fork_run.execute(eve, parent.run_id, BEFORE_WRITER)
    fork = await forked(world, parent.run_id, BEFORE_WRITER)
    await world.runtime.commands.erase_run.execute(ALICE, parent.run_id, basis="gdpr art. 17")
    with pytest.raises(RunConflictError):
        await forked(world, parent.run_id, BEFORE_WRITER)
    world.runtime.state.draining = True
    with pytest.raises(DrainingError):
        await forked(world, fork.run_id, BEFORE_WRITER)


async def test_floors_that_rose_refuse_the_fork() -> None:
    """A fork is no way around them: a policy from before is refused, one that meets them goes on."""
    ids = SequentialIds()
    world = make_world(ids=ids)
    parent = await world.run()
    options = RuntimeOptions(floors=ServerFloors(Tier.ENTERPRISE, ("sox",)))
    strict = make_world(storage=world.storage, ids=ids, options=options)
    with pytest.raises(PolicyFloorViolatedError):
        await forked(strict, parent.run_id, BEFORE_WRITER)
    raised = await strict.run()
    assert (await forked(strict, raised.run_id, BEFORE_WRITER)).status is raised.status
