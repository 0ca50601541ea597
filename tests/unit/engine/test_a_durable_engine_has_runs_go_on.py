"""With a durable engine outside: it is told of runs, drives them through ``RunDriver``, and is never what is believed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.approval import Decision
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.policy import TimeoutAction
from meshflow_grpc.domain.run import CancelReason, RunStatus
from meshflow_grpc.engine.driving import NotDrivenHereError, RunDriver
from tests.fakes.dispatch import FakeDispatch
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import World, make_world
from tests.unit.engine.gated import HUMAN, asked, decide, ended, paused, verified

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S = 20.0


@pytest.fixture
def dispatch() -> FakeDispatch:
    """What is told."""
    return FakeDispatch()


@pytest.fixture
def world(dispatch: FakeDispatch) -> World:
    """A runtime with it."""
    return make_world(dispatch=dispatch)


def driver(world: World) -> RunDriver:
    """What the durable engine calls."""
    assert world.runtime.driver is not None
    return world.runtime.driver


async def until(true: Callable[[], object]) -> None:
    """Waits for what other tasks do."""
    async with asyncio.timeout(WAIT_S):
        while not true():  # noqa: ASYNC110 - several tasks change it
            await asyncio.sleep(0)


async def test_a_run_is_executed_where_it_was_created_and_followed(world: World, dispatch: FakeDispatch) -> None:
    """It waits for nobody; the driver answers with its end, and records nothing itself."""
    line, started, release = gate()
    world.provider.script["writer"] = [line]
    run_id = await world.start()
    await started.wait()
    await until(lambda: dispatch.said)
    assert dispatch.said == [("begin", "acme", "here")]
    following = asyncio.ensure_future(driver(world).drive("acme", run_id))
    await asyncio.sleep(0)
    release.set()

    assert (await following).status == "completed"
    assert EntryKind.RUN_RESUMED not in [entry.kind for entry in await world.entries(run_id)]


async def test_an_absent_durable_engine_stops_no_run(world: World, dispatch: FakeDispatch) -> None:
    """Nothing is told, and the run completes all the same."""
    dispatch.away = True

    assert (await world.run()).status is RunStatus.COMPLETED


async def test_a_decided_run_goes_on_when_it_is_driven(world: World, dispatch: FakeDispatch) -> None:
    """The decision is told by approval and digest; the run waits until some server is given it."""
    run = await paused(world)
    waiting = await driver(world).drive("acme", run.run_id)
    assert (waiting.status, list(waiting.gates)) == ("paused", [asked(run)])
    assert waiting.wait_s is not None and waiting.wait_s > 0
    await decide(world, asked(run), Decision.APPROVE)
    await until(lambda: len(dispatch.said) == 3)

    assert dispatch.said[1:] == [("begin", "acme", "anywhere"), ("decided", asked(run), waiting.gates[asked(run)])]
    assert (await world.storage.get_run("acme", run.run_id)).status is RunStatus.RUNNING
    assert (await driver(world).drive("acme", run.run_id)).status == "completed"
    assert await verified(world, run.run_id)


async def test_a_decision_that_could_not_be_told_is_found(world: World, dispatch: FakeDispatch) -> None:
    """The next look at the ledger finds the run, and tells of its decision again; looks are spaced."""
    run = await paused(world)
    await until(lambda: dispatch.said)
    dispatch.away = True
    await decide(world, asked(run), Decision.APPROVE)
    await until(lambda: world.runtime.engine.active(run.run_id) is None)
    dispatch.away = False

    assert await world.runtime.engine.recover() == 0
    await until(lambda: ("decided", asked(run)) in [each[:2] for each in dispatch.said])
    said = len(dispatch.said)
    await world.runtime.engine.recover()
    await asyncio.sleep(0)
    assert len(dispatch.said) == said


async def test_a_rejected_or_cancelled_run_ends_there_too(world: World, dispatch: FakeDispatch) -> None:
    """Whoever waits for a decision is told that there is none to come."""
    rejected, cancelled = await paused(world), await paused(world)
    await decide(world, asked(rejected), Decision.REJECT)
    await world.cancel(cancelled.run_id)

    await until(lambda: ("ended", rejected.run_id) in dispatch.said and ("ended", cancelled.run_id) in dispatch.said)
    assert (await driver(world).drive("acme", rejected.run_id)).status == "rejected"


async def test_a_run_that_waits_for_a_server_can_be_cancelled(world: World) -> None:
    """Nobody executes it: who is asked takes it up and ends it, with the reason given."""
    run = await paused(world)
    await decide(world, asked(run), Decision.APPROVE)
    await until(lambda: world.runtime.engine.active(run.run_id) is None)

    done = await world.cancel(run.run_id)
    assert (done.status, done.reason) == (RunStatus.CANCELLED, "cancelled by request: enough")
    assert (await driver(world).drive("acme", run.run_id)).status == "cancelled"


async def test_whoever_waits_for_a_decided_run_is_answered(world: World, dispatch: FakeDispatch) -> None:
    """A cancellation that came while the run was passed on ends it, though nothing can be told."""
    run = await paused(world)
    await until(lambda: dispatch.said)
    dispatch.away = True
    await decide(world, asked(run), Decision.APPROVE)
    await until(lambda: world.runtime.engine.active(run.run_id) is None)
    claimed = world.runtime.engine.claim(run.run_id, "acme")
    assert claimed is not None
    world.runtime.engine.pass_on(claimed)
    claimed.cancel(CancelReason.REQUEST, "enough")

    async with asyncio.timeout(WAIT_S):
        done = await claimed.done
    assert (done.status, done.reason) == (RunStatus.CANCELLED, "cancelled by request: enough")


async def test_an_orphan_is_given_away_and_taken_up_when_driven(dispatch: FakeDispatch) -> None:
    """After a crash the run is nobody's; this server goes on with it only when it is told to."""
    ids = SequentialIds()
    line, started, _ = gate()
    before = make_world(FakeProvider({"writer": [line]}), ids=ids)
    run_id = await before.start()
    await started.wait()
    await before.runtime.engine.drain(0.0)
    world = make_world(storage=before.storage, ids=ids, dispatch=dispatch)
    assert await world.runtime.engine.recover() == 0
    await until(lambda: dispatch.said)
    assert dispatch.begun == {run_id: False}
    assert world.runtime.engine.in_flight == 0

    assert (await driver(world).drive("acme", run_id)).status == "completed"
    assert await verified(world, run_id)


async def test_a_server_that_stops_takes_nothing_up(world: World) -> None:
    """It says so, and another one is asked."""
    run = await paused(world)
    await decide(world, asked(run), Decision.APPROVE)
    await until(lambda: world.runtime.engine.active(run.run_id) is None)
    world.runtime.state.draining = True

    with pytest.raises(NotDrivenHereError):
        await driver(world).drive("acme", run.run_id)


async def test_a_gate_whose_time_is_over_is_decided_when_its_run_is_driven(dispatch: FakeDispatch) -> None:
    """The timer only has the ledger read; what the policy says then is done, here by the policy's rejection."""
    world = make_world(dispatch=dispatch)
    run = await paused(
        world, policy={"human_in_loop": {**HUMAN, "timeout_s": 0.05, "on_timeout": TimeoutAction.REJECT}}
    )
    async with asyncio.timeout(WAIT_S):
        while (driven := await driver(world).drive("acme", run.run_id)).status == "paused":
            assert driven.wait_s == 1.0

    assert driven.status == "rejected"
    assert (await ended(world, run.run_id)).status is RunStatus.REJECTED
