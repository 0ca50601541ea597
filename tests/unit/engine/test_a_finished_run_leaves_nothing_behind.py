"""What a run was made of goes with it: nothing waits for the collector of cycles."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from meshflow_grpc.domain.run import EventView, RunRequest, RunStatus
from meshflow_grpc.engine.executor import RunExecutor
from meshflow_grpc.engine.run_progress import RunProgress
from meshflow_grpc.kernel.state import RunContext, Step, StepState
from meshflow_grpc.ports.provider import ModelReply, ToolCall
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import ALICE, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.engine.conftest import World

KINDS = (RunExecutor, RunProgress, RunContext, Step, StepState)
WITH_TOOLS = "name: w\nentry: writer\nnodes:\n  writer: {tools: [calculator]}\n"


def left() -> list[object]:
    """What is there of runs."""
    return [each for each in gc.get_objects() if isinstance(each, KINDS)]


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def run_of(world: World) -> None:
    """One that ends well."""
    run = await world.runtime.commands.run.execute(ALICE, RunRequest(task="tides"))
    assert run.status is RunStatus.COMPLETED


async def test_a_run_that_ended_is_gone() -> None:
    """Without any collection."""
    world = make_world()
    await run_of(world)
    with uncollected():
        before = left()
        known = {id(each) for each in before}
        await run_of(world)
        await world.runtime.engine.drain(1.0)
        assert [each for each in left() if id(each) not in known] == []


async def watched(world: World) -> None:
    """One whose agent calls a tool, seen in every detail."""
    call = ToolCall("c1", "calculator", {"expression": "1+1"})
    world.provider.script["writer"] = [ModelReply("", "fake-mini", 1, 1, calls=(call,)), "two"]
    request = RunRequest(task="tides", workflow_yaml=WITH_TOOLS, event_view=EventView.FULL)
    events = [event async for event in world.runtime.commands.stream_run.execute(ALICE, request)]
    assert (events[-1].status, [e.tool for e in events if e.tool][:1]) == ("completed", ["calculator"])


async def test_a_step_is_gone_that_had_tools_and_was_watched() -> None:
    """What a step was given does not hold it."""
    world = make_world(FakeProvider())
    await watched(world)
    with uncollected():
        known = {id(each) for each in left()}
        await watched(world)
        await world.runtime.engine.drain(1.0)
        assert [type(each) for each in left() if id(each) not in known] == []
