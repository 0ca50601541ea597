"""Killed or cancelled at any moment around an effect, a run never repeats what cannot be taken back, and its ledger stays whole."""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import Run, RunRequest, RunStatus
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider, gate
from tests.fakes.tools import Application
from tests.unit.engine.conftest import ALICE, World, make_world
from tests.unit.engine.test_agents_call_tools_as_steps import agent, calls

if TYPE_CHECKING:
    from meshflow_grpc.storage.memory.storage import MemoryStorage

MOMENTS = 24
NODE = "name: w\nentry: t\nnodes:\n  t: {{kind: tool, tool: {tool}, arguments: {arguments}}}\n"
PAY = NODE.format(tool="pay", arguments="{amount: 5}")
MAIL = NODE.format(tool="mail", arguments='{text: "hi"}')
ORDER = NODE.format(tool="order", arguments="{item: tea}")
LOOP = agent("pay")


def make(application: Application, storage: MemoryStorage | None = None) -> World:
    """A world whose agent, asked afresh, does the same as before."""
    script = {"a": [calls(("pay", {"amount": 5})), "paid"]}
    return make_world(FakeProvider(script), storage, ids=SequentialIds(), tools=application.registry())


async def until_moment(world: World, moment: int, workflow: str) -> tuple[str, bool]:
    """Starts a run and lets so many turns of the event loop pass; says whether it has ended by then."""
    run = await world.runtime.commands.create_run.execute(ALICE, RunRequest(task="x", workflow_yaml=workflow))
    for _ in range(moment):
        await asyncio.sleep(0)
    return run.run_id, (await world.runtime.commands.get_run.execute(ALICE, run.run_id)).status.ended


async def stop(world: World) -> None:
    """Cancels everything the world does."""
    tasks = list(world.runtime.engine._tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def after_restart(application: Application, storage: MemoryStorage, run_id: str) -> tuple[World, Run]:
    """A new process on the ledger takes the run to its end."""
    world = make(application, storage)
    await world.runtime.engine.recover()
    return world, await world.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=30)


async def whole(world: World, run: Run) -> Counter[str]:
    """Checks the chain and that nothing is committed twice; counts the entries by kind."""
    assert await world.runtime.commands.verify_run.execute(ALICE, run.run_id)
    assert run == await world.runtime.commands.get_run.execute(ALICE, run.run_id)
    entries = await world.entries(run.run_id)
    committed = Counter(e.step_id for e in entries if e.kind is EntryKind.STEP_COMMITTED)
    assert set(committed.values()) <= {1}
    assert len({(e.step_id, e.attempt, e.kind) for e in entries}) == len(entries)
    return Counter(e.kind.value for e in entries)


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("workflow", [PAY, MAIL, LOOP], ids=["irreversible", "external", "loop"])
async def test_killed_at_any_moment_an_effect_happens_at_most_once(workflow: str, moment: int) -> None:
    """A copy of the ledger at that moment is all that the next process has; the effects done by then are done."""
    before = Application()
    world = make(before)
    run_id, ended = await until_moment(world, moment, workflow)
    storage, done = copy.deepcopy(world.storage), list(before.effects)
    await stop(world)
    if ended:
        return
    after = Application()
    again, run = await after_restart(after, storage, run_id)
    kinds = await whole(again, run)

    assert len(done) + len(after.effects) <= 1
    if run.status is RunStatus.COMPLETED:
        assert len(done) + len(after.effects) == 1
    else:
        assert run.status is RunStatus.FAILED
        assert "IN_DOUBT" in (run.reason or "")
        assert kinds["step_intent"] == 1


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("workflow", [PAY, LOOP], ids=["node", "loop"])
async def test_stopped_at_any_moment_an_effect_happens_at_most_once(workflow: str, moment: int) -> None:
    """A server that drains cancels the step; the restarted one does not do it again."""
    application = Application()
    world = make(application)
    run_id, ended = await until_moment(world, moment, workflow)
    await stop(world)
    again, run = await after_restart(application, world.storage, run_id)
    await whole(again, run)

    assert len(application.effects) <= 1
    assert ended or run.status in (RunStatus.COMPLETED, RunStatus.FAILED)
    assert run.status is not RunStatus.COMPLETED or len(application.effects) == 1


@pytest.mark.parametrize("moment", range(MOMENTS))
async def test_an_idempotent_call_is_made_again_with_the_same_key(moment: int) -> None:
    """The run completes whenever it was killed, and the other side can tell the repetition."""
    before = Application()
    world = make(before)
    run_id, ended = await until_moment(world, moment, ORDER)
    storage, keys = copy.deepcopy(world.storage), list(before.keys)
    await stop(world)
    if ended:
        return
    after = Application()
    again, run = await after_restart(after, storage, run_id)
    await whole(again, run)

    assert run.status is RunStatus.COMPLETED
    assert set(keys) | set(after.keys) == {f"{run_id}/t#1"}


async def test_the_moments_cover_the_whole_run() -> None:
    """Otherwise the tests above would prove little."""
    for workflow in (PAY, MAIL, LOOP, ORDER):
        world = make(Application())
        assert (await until_moment(world, 0, workflow))[1] is False
        world = make(Application())
        assert (await until_moment(world, MOMENTS, workflow))[1] is True


async def test_the_intent_is_durable_before_the_effect() -> None:
    """Tier, tool, arguments and key are in it; nothing of the kind for a step that stays inside."""
    application = Application()
    world = make(application)
    run = await world.run(workflow_yaml=PAY)
    intent, outcome = (await world.entries(run.run_id))[1:3]

    assert (intent.kind, outcome.kind) == (EntryKind.STEP_INTENT, EntryKind.STEP_COMMITTED)
    assert intent.step_id == outcome.step_id == "t#1"
    assert (intent.facts["risk"], intent.facts["tool"]) == ("irreversible", "pay")
    assert intent.input == '{"arguments":{"amount":5}}'
    assert application.keys == [intent.facts["idempotency_key"]]


async def test_a_model_that_changes_its_mind_after_a_crash_does_not_act_twice() -> None:
    """The same effect asked for at another place is in doubt."""
    line, started, _ = gate()
    world = make_world(FakeProvider({"a": [calls(("pay", {"amount": 5})), line]}), tools=Application().registry())
    run_id, _ = await until_moment(world, 0, LOOP)
    await started.wait()
    storage = copy.deepcopy(world.storage)
    await stop(world)
    script = {"a": [calls(("calculator", {"expression": "1"})), calls(("pay", {"amount": 5})), "paid"]}
    after = Application()
    again = make_world(FakeProvider(script), storage, tools=after.registry())
    await again.runtime.engine.recover()
    run = await again.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=30)

    assert run.status is RunStatus.FAILED
    assert "IN_DOUBT" in (run.reason or "")
    assert after.effects == []
