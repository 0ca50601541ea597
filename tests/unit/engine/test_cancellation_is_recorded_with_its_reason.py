"""Going away, cancelling and running out of time end a run at once, and the ledger says which."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from meshflow_grpc.commands.run import answer_within
from meshflow_grpc.domain.errors import DeadlineExceededError
from meshflow_grpc.domain.event import EventType
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.node_token import NODE_METHOD
from meshflow_grpc.domain.run import EventView, OnDisconnect, Principal, RunRequest, RunStatus
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, World, make_world


async def the_run(world: World) -> str:
    """Id of the only run."""
    (run,) = (
        await world.runtime.commands.list_runs.execute(ALICE, page_size=0, page_token="", status="", workflow="")
    ).runs
    return run.run_id


async def ended(world: World, run_id: str) -> RunStatus:
    """Status of the run once it has ended."""
    return (await world.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=30)).status


async def test_a_caller_who_goes_away_cancels_its_run() -> None:
    """on_disconnect=cancel is the default; the step and the run are recorded as cancelled."""
    line, started, _ = gate()
    world = make_world(FakeProvider({"researcher": [line]}))
    call = asyncio.create_task(world.run())
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    run_id = await the_run(world)
    assert await ended(world, run_id) is RunStatus.CANCELLED
    entries = await world.entries(run_id)
    assert [e.kind for e in entries][1:] == [EntryKind.STEP_CANCELLED, EntryKind.RUN_FINISHED]
    assert (await world.storage.get_run("acme", entries[-1].run_id)).reason == "cancelled by disconnect"


async def test_a_caller_out_of_time_is_told_apart_from_one_who_left() -> None:
    """The deadline of the call decides; the caller is told with the id of the run."""
    line, _, _ = gate()
    world = make_world(FakeProvider({"researcher": [line]}))
    with pytest.raises(DeadlineExceededError) as late:
        await world.runtime.commands.run.execute(ALICE, RunRequest(task="x"), deadline_s=0.02)

    run_id = await the_run(world)
    assert late.value.metadata == {"run_id": run_id}
    await ended(world, run_id)
    assert (await world.storage.get_run("acme", run_id)).reason == "cancelled by deadline"


async def test_with_continue_the_run_goes_on_without_its_caller() -> None:
    """on_disconnect=continue."""
    line, started, release = gate()
    world = make_world(FakeProvider({"researcher": [line]}))
    call = asyncio.create_task(world.run(on_disconnect=OnDisconnect.CONTINUE))
    await started.wait()
    call.cancel()
    await asyncio.wait([call])
    release.set()

    assert await ended(world, await the_run(world)) is RunStatus.COMPLETED


async def test_closing_a_stream_cancels_its_run() -> None:
    """Leaving the stream is leaving the run."""
    line, started, _ = gate()
    world = make_world(FakeProvider({"writer": [line]}))
    async with aclosing(world.runtime.commands.stream_run.execute(ALICE, RunRequest(task="x"))) as events:
        seen = [await anext(events) for _ in range(2)]
        await started.wait()

    run_id = seen[0].run_id
    assert await ended(world, run_id) is RunStatus.CANCELLED
    assert (await world.storage.get_run("acme", run_id)).reason == "cancelled by disconnect"


async def test_leaving_a_watch_does_not_touch_the_run() -> None:
    """Watching is looking."""
    line, started, release = gate()
    world = make_world(FakeProvider({"writer": [line]}))
    run = await world.runtime.commands.create_run.execute(ALICE, RunRequest(task="x"))
    watch = world.runtime.commands.watch_run.execute(ALICE, run.run_id, after_sequence=0, view=EventView.BASIC)
    async with aclosing(watch) as events:
        assert (await anext(events)).event_type is EventType.RUN_STARTED
        await started.wait()
    release.set()

    assert await ended(world, run.run_id) is RunStatus.COMPLETED


async def test_cancel_run_returns_when_the_end_is_recorded() -> None:
    """Confirmed, not hoped for; the reason given is kept."""
    line, started, _ = gate()
    world = make_world(FakeProvider({"researcher": [line]}))
    run = await world.runtime.commands.create_run.execute(ALICE, RunRequest(task="x"))
    await started.wait()
    cancelled = await world.runtime.commands.cancel_run.execute(ALICE, run.run_id, reason="wrong topic")

    assert cancelled.status is RunStatus.CANCELLED
    assert cancelled.reason == "cancelled by request: wrong topic"
    assert cancelled.entries == len(await world.entries(run.run_id))


async def test_cancelling_an_ended_run_changes_nothing(world: World) -> None:
    """Idempotent."""
    run = await world.run()

    assert await world.runtime.commands.cancel_run.execute(ALICE, run.run_id, reason="late") == run


async def test_a_cancelled_run_still_verifies() -> None:
    """Cancellation leaves evidence, not damage."""
    line, started, _ = gate()
    world = make_world(FakeProvider({"researcher": [line]}))
    run = await world.runtime.commands.create_run.execute(ALICE, RunRequest(task="x"))
    await started.wait()
    await world.runtime.commands.cancel_run.execute(ALICE, run.run_id, reason="")

    assert await world.runtime.commands.verify_run.execute(ALICE, run.run_id)


def test_a_node_hears_in_half_its_time_that_a_run_goes_on() -> None:
    """It takes silence for a loss, and may be further away than a user's deadline leaves room for."""
    user = Principal("ci", "acme", method="api_key")
    assert answer_within(10.0, user) == pytest.approx(9.95)
    assert answer_within(0.2, user) == pytest.approx(0.18)
    assert answer_within(10.0, replace(user, method=NODE_METHOD)) == 5.0
