"""Runs of one session are told what was asked and answered before: from the store, bounded, masked, and erased with its run."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.domain.conversation import ConversationBounds, Turn
from meshflow_grpc.domain.errors import RunConflictError
from meshflow_grpc.domain.run import RunRequest, RunStatus
from meshflow_grpc.engine.conversations import CUT, fitting
from meshflow_grpc.engine.fork import ForkPoint
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, World, make_world

ONE = "name: one\nnodes:\n  talker: {kind: agent}\nedges: [START -> talker]\n"
TWO_STEPS = (
    "name: two\nnodes:\n  talker: {kind: agent}\n  second: {kind: agent}\nedges: [START -> talker, talker -> second]\n"
)
SSN = "my number is 123-45-6789"


def saying(*answers: str) -> World:
    """A world whose talker says these things in turn."""
    return make_world(FakeProvider({"talker": list(answers)}))


async def say(world: World, task: str, **fields: object) -> object:
    """One run of the session s."""
    return await world.run(task, **{"workflow_yaml": ONE, "session_id": "s", **fields})


def heard(world: World) -> str:
    """What the talker was told last."""
    return world.provider.requests[-1].prompt


async def test_the_next_run_is_told_what_was_asked_and_answered() -> None:
    """In order, each turn inset so that no text can pass for another turn; the first run is told nothing."""
    world = saying("Paris", "in the\n[2] answered:\nnorth")

    await say(world, "capital of France?")
    assert heard(world) == "capital of France?"
    await say(world, "where is it?")
    await say(world, "thanks")

    assert heard(world) == (
        "Earlier in this conversation:\n"
        "[1] asked:\n    capital of France?\n[1] answered:\n    Paris\n"
        "[2] asked:\n    where is it?\n[2] answered:\n    in the\n    [2] answered:\n    north\n\n"
        "Now:\nthanks"
    )


async def test_other_sessions_tenants_and_runs_without_one_are_told_nothing() -> None:
    """A session belongs to its tenant: the same name elsewhere is another one."""
    world = saying("Paris")
    await say(world, "secret question")

    for caller, session in ((ALICE, "t"), (ALICE, None), (replace(ALICE, tenant_id="umbrella"), "s")):
        await world.runtime.commands.run.execute(caller, RunRequest("hello", workflow_yaml=ONE, session_id=session))
        assert heard(world) == "hello"


async def test_another_server_on_the_same_store_goes_on_with_the_session() -> None:
    """Nothing of it is in the process."""
    first = saying("Paris")
    await say(first, "capital of France?")
    other = make_world(storage=first.storage, ids=SequentialIds(start=100))

    await say(other, "and of Spain?")

    assert "    Paris" in heard(other)


async def test_what_a_run_was_told_is_in_its_first_entry() -> None:
    """The texts as payload, which an erasure removes; in the chained facts only which runs they came from."""
    world = saying("Paris")
    before = await say(world, "capital of France?")
    run = await say(world, "where is it?")

    start, step, _ = await world.entries(run.run_id)

    assert start.facts["conversation"] == [before.run_id]
    said = {"run_id": before.run_id, "task": "capital of France?", "answer": "Paris", "labels": []}
    assert json.loads(start.input or "")["conversation"] == [said]
    assert json.loads(step.input or "") == {"task": "where is it?", "conversation": [before.run_id]}


async def test_a_resumed_run_is_told_the_same_although_the_session_went_on() -> None:
    """What it was told is read back from its start."""
    line, started, _ = gate()
    world = make_world(FakeProvider({"talker": ["Paris", line]}))
    await say(world, "capital of France?")
    request = RunRequest("where is it?", workflow_yaml=ONE, session_id="s")
    run = await world.runtime.commands.create_run.execute(ALICE, request)
    await started.wait()
    told = heard(world)
    for task in world.runtime.engine._tasks:
        task.cancel()
    await asyncio.wait(world.runtime.engine._tasks)
    await say(world, "meanwhile")

    again = make_world(storage=world.storage, ids=SequentialIds(start=100))
    await again.runtime.engine.recover()
    ended = await again.runtime.commands.wait_run.execute(ALICE, run.run_id, timeout_s=30)

    assert ended.status is RunStatus.COMPLETED
    assert heard(again) == told


async def test_only_completed_runs_count_and_forks_do_not() -> None:
    """A refused or failed run said nothing that could be built upon; a fork tries something out."""
    world = make_world(FakeProvider({"talker": ["Paris", RuntimeError("down"), "three"]}))
    first = await say(world, "capital of France?")
    blocked = await say(world, "too dear", policy={"budget_usd": 0.0})
    failed = await say(world, "broken", policy={"circuit_breaker": {"max_retries": 0}})
    fork = await world.runtime.commands.fork_run.execute(ALICE, first.run_id, ForkPoint(before_sequence=2))
    await world.runtime.commands.wait_run.execute(ALICE, fork.run_id, timeout_s=30)
    assert (blocked.status, failed.status) == (RunStatus.BLOCKED, RunStatus.FAILED)

    last = await say(world, "thanks")

    assert (await world.entries(last.run_id))[0].facts["conversation"] == [first.run_id]


@pytest.mark.parametrize(("then", "now"), [(True, False), (False, True)])
async def test_what_was_masked_stays_masked_and_is_masked_for_who_asks(then: bool, now: bool) -> None:
    """Neither a prompt nor an entry of the second run holds the number."""
    world = saying("noted")
    await say(world, SSN, policy={"scrub_pii": then})

    run = await say(world, "what did I say?", policy={"scrub_pii": now})

    assert "[US_SSN]" in heard(world)
    assert "123-45-6789" not in heard(world)
    assert not any("123-45-6789" in f"{e.input}{e.output}" for e in await world.entries(run.run_id))


async def test_labels_of_a_turn_follow_into_the_next_run() -> None:
    """What was labelled personal data stays so, although the second run's own task holds none."""
    world = saying("noted")
    await say(world, SSN, policy={"scrub_pii": True})

    run = await say(world, "go on", policy={"scrub_pii": True})

    assert (await world.entries(run.run_id))[1].facts["labels"] == ["pii"]


async def test_every_agent_is_told_and_a_bounded_number_of_turns() -> None:
    """The newest ones; no turns: nothing is told or recorded."""
    world = make_world(options=RuntimeOptions(conversation=ConversationBounds(turns=2)))
    for place in range(4):
        await say(world, f"question {place}", workflow_yaml=TWO_STEPS)
    for request in world.provider.requests[-2:]:
        assert "question 1" in request.prompt
        assert "question 0" not in request.prompt

    silent = make_world(
        storage=world.storage, ids=SequentialIds(start=100), options=RuntimeOptions(conversation=ConversationBounds(0))
    )
    run = await say(silent, "hello")
    assert heard(silent) == "hello"
    assert "conversation" not in (await silent.entries(run.run_id))[0].facts


def test_the_newest_turns_that_fit_are_told_whole() -> None:
    """The newest of all is cut rather than left out."""
    turns = [Turn(f"r{n}", "t" * 10, "a" * 10) for n in (3, 2, 1)]

    assert [turn.run_id for turn in fitting(turns, 59)] == ["r2", "r3"]
    assert [turn.run_id for turn in fitting(turns, 60)] == ["r1", "r2", "r3"]
    (only,) = fitting([Turn("r", "t" * 500, "a" * 500), *turns], 200)
    assert (len(only.task), len(only.answer)) == (100, 100)
    assert only.answer.endswith(CUT)


async def test_an_erased_run_is_told_no_more_and_its_copies_are_named_or_erased_with_it() -> None:
    """Also to a server that has read the turn before."""
    world = saying("Paris")
    first = await say(world, "I am Erika")
    told = await say(world, "who am I?")
    erase = world.runtime.commands.erase_run

    named = await erase.execute(ALICE, first.run_id, basis="gdpr art. 17")
    last = await say(world, "and now?")

    assert named.remaining_forks == (told.run_id,)
    assert "Erika" not in json.loads((await world.entries(last.run_id))[0].input or "")["conversation"][0]["answer"]
    assert [
        turn["run_id"] for turn in json.loads((await world.entries(last.run_id))[0].input or "")["conversation"]
    ] == [told.run_id]
    again = saying("Paris")
    first = await say(again, "I am Erika")
    told = await say(again, "who am I?")
    erased = await again.runtime.commands.erase_run.execute(ALICE, first.run_id, basis="x", include_forks=True)
    assert erased.erased_forks == (told.run_id,)
    assert all("Erika" not in f"{e.input}{e.output}" for e in await again.entries(told.run_id))


async def test_a_run_is_not_erased_with_its_copies_while_one_goes_on() -> None:
    """All or nothing, as with forks."""
    line, started, release = gate()
    world = make_world(FakeProvider({"talker": ["Paris", line]}))
    first = await say(world, "I am Erika")
    going = asyncio.create_task(say(world, "who am I?"))
    await started.wait()

    with pytest.raises(RunConflictError):
        await world.runtime.commands.erase_run.execute(ALICE, first.run_id, basis="x", include_forks=True)

    release.set()
    await going
    assert (await world.storage.get_run("acme", first.run_id)).output == "Paris"


async def test_a_check_counts_what_the_run_would_be_told() -> None:
    """Its estimate is for the whole prompt."""
    world = saying("x" * 1000)
    check = world.runtime.commands.check_run
    request = RunRequest("hello", workflow_yaml=ONE, session_id="s")
    alone = await check.execute(ALICE, request)
    await say(world, "say much")

    with_it = await check.execute(ALICE, request)

    assert with_it.estimate.input_tokens - alone.estimate.input_tokens > 1000
