"""AIP-155: the same request id is the same run, however often it is sent and from how many sides."""

from __future__ import annotations

import asyncio

import pytest

from meshflow_grpc.domain.errors import RequestIdReusedError
from meshflow_grpc.domain.run import RunRequest, RunStatus
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, World, make_world


async def test_a_repeated_request_returns_the_run_that_exists(world: World) -> None:
    """After the end: the same answer, no second execution."""
    first = await world.run(request_id="r1")
    second = await world.run(request_id="r1")

    assert second == first
    assert len(world.provider.requests) == 2


async def test_a_request_repeated_meanwhile_waits_for_the_same_run() -> None:
    """Fifty callers, one run, fifty equal answers."""
    line, started, release = gate()
    world = make_world(FakeProvider({"researcher": [line]}))
    calls = [asyncio.create_task(world.run(request_id="r1")) for _ in range(50)]
    await started.wait()
    release.set()
    runs = await asyncio.gather(*calls)

    assert {r.run_id for r in runs} == {runs[0].run_id}
    assert all(r.status is RunStatus.COMPLETED for r in runs)
    assert len(world.provider.requests) == 2


async def test_another_request_under_the_same_id_is_refused(world: World) -> None:
    """Nothing of it is executed or recorded."""
    run = await world.run(request_id="r1")
    with pytest.raises(RequestIdReusedError) as refused:
        await world.run("another task", request_id="r1")

    assert refused.value.metadata["run_id"] == run.run_id
    assert len(world.provider.requests) == 2


async def test_a_repeated_stream_replays_the_run_that_exists(world: World) -> None:
    """The second stream shows the first run's events."""
    run = await world.run(request_id="r1")
    events = [
        e async for e in world.runtime.commands.stream_run.execute(ALICE, RunRequest(task="tides", request_id="r1"))
    ]

    assert {e.run_id for e in events} == {run.run_id}
    assert events[-1].output == run.output
