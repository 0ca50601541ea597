"""What a run was made of goes with it: nothing waits for the collector of cycles."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from meshflow_grpc.domain.run import RunRequest, RunStatus
from meshflow_grpc.engine.executor import RunExecutor
from meshflow_grpc.engine.run_progress import RunProgress
from meshflow_grpc.kernel.state import RunContext
from tests.unit.engine.conftest import ALICE, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.engine.conftest import World

KINDS = (RunExecutor, RunProgress, RunContext)


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
