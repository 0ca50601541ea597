"""WatchRun from any point, during and after the run."""

from __future__ import annotations

import asyncio

import pytest

from meshflow_grpc.domain.errors import RunNotFoundError
from meshflow_grpc.domain.event import EventType, RunEvent
from meshflow_grpc.domain.run import EventView, Principal, RunRequest
from meshflow_grpc.engine import event_hub
from meshflow_grpc.kernel.pipeline import STAGE_NAMES
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, World, make_world


async def watched(world: World, run_id: str, after: int, view: EventView = EventView.BASIC) -> list[RunEvent]:
    """All events from a point to the end."""
    return [e async for e in world.runtime.commands.watch_run.execute(ALICE, run_id, after_sequence=after, view=view)]


@pytest.mark.parametrize("after", range(4))
async def test_after_the_run_exactly_the_missing_events_come(world: World, after: int) -> None:
    """Every starting point gives the rest, in order."""
    run = await world.run()

    assert [e.sequence for e in await watched(world, run.run_id, after)] == list(range(after + 1, run.entries + 1))


@pytest.mark.parametrize("after", range(4))
async def test_during_the_run_the_same_events_come_as_after_it(after: int) -> None:
    """A watcher who joins in the middle sees what a late one sees."""
    line, started, release = gate()
    world = make_world(FakeProvider({"writer": [line]}))
    run = await world.runtime.commands.create_run.execute(ALICE, RunRequest(task="x"))
    await started.wait()
    live = asyncio.create_task(watched(world, run.run_id, after))
    await asyncio.sleep(0)
    release.set()

    assert await live == await watched(world, run.run_id, after)


async def test_a_watcher_that_fell_behind_reads_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropping its queue costs it nothing."""
    monkeypatch.setattr(event_hub, "QUEUE_LIMIT", 1)
    world = make_world()
    events = [e async for e in world.runtime.commands.stream_run.execute(ALICE, RunRequest(task="x"))]

    assert [e.sequence for e in events] == [1, 2, 3, 4]


async def test_the_full_view_adds_live_events_without_a_sequence(world: World) -> None:
    """They cannot be replayed, so they claim no place."""
    request = RunRequest(task="x", event_view=EventView.FULL)
    events = [e async for e in world.runtime.commands.stream_run.execute(ALICE, request)]

    started = [e for e in events if e.event_type is EventType.NODE_STARTED]
    assert [e.node_id for e in started] == ["researcher", "writer"]
    decided = [(e.node_id, e.stage, e.status) for e in events if e.event_type is EventType.STAGE_DECIDED]
    assert decided == [(node, stage, "allow") for node in ("researcher", "writer") for stage in STAGE_NAMES[:13]]
    assert all(e.sequence is None for e in events if e.event_type in {EventType.NODE_STARTED, EventType.STAGE_DECIDED})


async def test_another_tenants_run_is_not_found(world: World) -> None:
    """Not forbidden: not there."""
    run = await world.run()
    mallory = Principal("mallory", "other")
    with pytest.raises(RunNotFoundError):
        await anext(
            world.runtime.commands.watch_run.execute(mallory, run.run_id, after_sequence=0, view=EventView.BASIC)
        )
    for command in ("get_run", "verify_run"):
        with pytest.raises(RunNotFoundError):
            await getattr(world.runtime.commands, command).execute(mallory, run.run_id)


async def test_no_subscription_is_left_behind(world: World) -> None:
    """A finished stream leaves nothing in the hub."""
    _ = [e async for e in world.runtime.commands.stream_run.execute(ALICE, RunRequest(task="x"))]

    assert world.runtime.hub._by_run == {}
