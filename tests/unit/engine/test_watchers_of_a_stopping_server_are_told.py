"""A server that stops ends its watches with a word, after all that came until then, so that watchers go on elsewhere."""

from __future__ import annotations

import asyncio

import pytest

from meshflow_grpc.domain.errors import StoppedError
from meshflow_grpc.domain.run import EventView, Run, RunRequest
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, World, make_world


async def hanging(line: object) -> tuple[World, Run]:
    """A world with a run in its second step."""
    world = make_world(FakeProvider({"writer": [line]}))
    return world, await world.runtime.commands.create_run.execute(ALICE, RunRequest(task="x"))


async def test_a_watch_shows_what_came_and_then_says_so() -> None:
    """Nothing that was durable is held back."""
    line, started, _ = gate()
    world, run = await hanging(line)
    await started.wait()
    commands = world.runtime.commands
    events = commands.watch_run.execute(ALICE, run.run_id, after_sequence=0, view=EventView.BASIC)
    assert [(await anext(events)).sequence for _ in range(2)] == [1, 2]
    upcoming = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    world.runtime.hub.close()
    with pytest.raises(StoppedError, match="goes on on another server"):
        await upcoming

    later = commands.watch_run.execute(ALICE, run.run_id, after_sequence=0, view=EventView.BASIC)
    assert [(await anext(later)).sequence for _ in range(2)] == [1, 2]
    with pytest.raises(StoppedError):
        await anext(later)


async def test_a_watch_of_a_run_that_ended_still_ends() -> None:
    """There is nothing left to wait for."""
    world = make_world()
    run = await world.run()
    world.runtime.hub.close()
    commands = world.runtime.commands
    events = commands.watch_run.execute(ALICE, run.run_id, after_sequence=0, view=EventView.BASIC)
    assert [event.sequence async for event in events] == [1, 2, 3, 4]


async def test_who_waits_for_a_run_of_another_server_is_told() -> None:
    """It can be waited for there."""
    line, started, _ = gate()
    world, run = await hanging(line)
    await started.wait()
    other = make_world(storage=world.storage)
    waiting = asyncio.create_task(other.runtime.commands.wait_run.execute(ALICE, run.run_id, timeout_s=60))
    await asyncio.sleep(0)
    other.runtime.hub.close()
    with pytest.raises(StoppedError):
        await waiting
