"""Branches, gates, streams, time and crashes around steps that wait for a human."""

from __future__ import annotations

import asyncio

import pytest

from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.domain.approval import ApprovalStatus
from meshflow_grpc.domain.errors import (
    ApprovalAlreadyDecidedError,
    ApprovalExpiredError,
    ApprovalNotReadyError,
    InvalidWorkflowError,
    PolicyFieldNotEnforcedError,
)
from meshflow_grpc.domain.event import EventType
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.policy import HumanInLoopConfig, Policy, RiskTier
from meshflow_grpc.domain.run import EventView, RunRequest, RunStatus
from meshflow_grpc.engine import gates as gates_module
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.clock import FakeClock
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, SCANNER, World, make_world
from tests.unit.engine.gated import (
    BOB,
    BRANCHES,
    GATE,
    HUMAN,
    POLICY,
    PUBLISH,
    asked,
    calls,
    decide,
    ended,
    paused,
    pending,
    verified,
)


async def test_branches_finish_before_the_run_waits_for_all_its_approvals(world: World) -> None:
    """Two of three branches wait; each is decided by itself, in any order."""
    run = await paused(world, BRANCHES)
    waiting = await pending(world)
    assert sorted(a.node_id for a in waiting) == ["left", "right"]
    assert calls(world, "free") == 1
    for approval in reversed(waiting):
        await decide(world, approval.approval_id, "approve")
    done = await ended(world, run.run_id)
    if done.status is RunStatus.PAUSED:
        done = await ended(world, run.run_id)

    assert done.status is RunStatus.COMPLETED
    assert [calls(world, n) for n in ("start", "left", "right", "free", "join")] == [1] * 5
    assert await verified(world, run.run_id)


async def test_one_rejection_ends_the_run_and_voids_the_other_approval(world: World) -> None:
    """What is not decided will never be."""
    run = await paused(world, BRANCHES)
    first, second = await pending(world)
    await decide(world, first.approval_id, "reject")

    assert (await world.runtime.commands.get_approval.execute(BOB, second.approval_id)).status is ApprovalStatus.VOID
    with pytest.raises(ApprovalAlreadyDecidedError):
        await decide(world, second.approval_id, "approve")
    assert await verified(world, run.run_id)


async def test_a_decision_waits_for_branches_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded: then the reviewer is told to come back."""
    monkeypatch.setattr(gates_module, "BUSY_WAIT_S", 0.0)
    line, started, release = gate()
    world = make_world(FakeProvider({"free": [line]}))
    call = asyncio.create_task(world.run(workflow_yaml=BRANCHES, policy=POLICY))
    await started.wait()
    run_id = "run_01900000-0000-7000-8000-000000000001"
    while EntryKind.STEP_PAUSED not in [e.kind for e in await world.entries(run_id)]:  # noqa: ASYNC110 - no event says it
        await asyncio.sleep(0)
    page = await world.runtime.commands.list_approvals.execute(BOB, page_size=0, page_token="", run_id=run_id)
    with pytest.raises(ApprovalNotReadyError):
        await decide(world, page.approvals[0].approval_id, "approve")
    release.set()
    assert (await call).status is RunStatus.PAUSED


async def test_a_human_node_always_waits_and_says_what_was_decided() -> None:
    """Its output goes to the next node; the question is the approval's reason."""
    world = make_world()
    run = await paused(world, GATE, {})
    assert run.pending_approval is not None
    assert run.pending_approval.reason == "May this go out?"
    await decide(world, asked(run), "approve", comment="go")
    done = await ended(world, run.run_id)

    assert done.status is RunStatus.COMPLETED
    assert '{"comment":"go","decision":"approve","reviewer":"bob"}' in world.provider.requests[-1].prompt


async def test_a_human_node_with_settings_nobody_enforces_is_refused(world: World) -> None:
    """Named, not ignored."""
    with pytest.raises(InvalidWorkflowError, match=r"nodes\.ok\.timeout_s"):
        await world.run(workflow_yaml=GATE.replace("kind: human", "kind: human, timeout_s: 5"))


async def test_a_stream_ends_at_the_gate_and_a_watch_stays(world: World) -> None:
    """gate_paused is the last event of StreamRun; a watcher sees the decision and the end."""
    request = RunRequest(task="x", workflow_yaml=PUBLISH, policy=POLICY)
    streamed = [e async for e in world.runtime.commands.stream_run.execute(ALICE, request)]
    last = streamed[-1]
    assert (last.event_type, last.node_id) == (EventType.GATE_PAUSED, "publisher")
    assert last.approval_id is not None
    assert last.approval_expire_time is not None
    await decide(world, last.approval_id, "approve")
    watch = world.runtime.commands.watch_run.execute(
        ALICE, last.run_id, after_sequence=last.sequence or 0, view=EventView.BASIC
    )

    assert [e.event_type async for e in watch] == [
        EventType.GATE_RESUMED,
        EventType.AGENT_COMPLETED,
        EventType.RUN_COMPLETED,
    ]


async def test_a_paused_run_can_be_cancelled(world: World) -> None:
    """Its approval is void then."""
    run = await paused(world)
    done = await world.runtime.commands.cancel_run.execute(ALICE, run.run_id, reason="no need")

    assert (done.status, done.reason) == (RunStatus.CANCELLED, "cancelled by request: no need")
    assert await pending(world) == []
    assert await verified(world, run.run_id)


async def test_the_same_request_again_finds_the_paused_run(world: World) -> None:
    """A retry is not a second run."""
    first = await world.run(workflow_yaml=PUBLISH, policy=POLICY, request_id="r1")
    assert await world.run(workflow_yaml=PUBLISH, policy=POLICY, request_id="r1") == first


async def test_a_webhook_without_a_key_to_sign_it_is_refused(world: World) -> None:
    """Never accepted and ignored."""
    human = {**HUMAN, "approval_webhook": "https://example.com/hook"}
    with pytest.raises(PolicyFieldNotEnforcedError, match="MESHFLOW_WEBHOOK_SECRET"):
        await world.run(policy={"human_in_loop": human})


async def test_a_check_names_the_nodes_that_would_wait(world: World) -> None:
    """Before anything runs."""
    check = await world.runtime.commands.check_run.execute(
        ALICE, RunRequest(task="x", workflow_yaml=PUBLISH, policy=POLICY)
    )
    assert check.approval_nodes == ("publisher",)


def timed_world(storage: MemoryStorage, clock: FakeClock, human: HumanInLoopConfig) -> World:
    """A process on a ledger, with time under control."""
    provider = FakeProvider()
    outside = Outside(storage, provider, clock, SequentialIds(), SCANNER, lambda: 0.0)
    options = RuntimeOptions(default_policy=Policy(human_in_loop=human))
    return World(assemble(outside, options), provider, storage)


async def test_time_without_a_decision_rejects_also_after_a_restart() -> None:
    """The ledger is the timer."""
    storage, clock = MemoryStorage(), FakeClock()
    human = HumanInLoopConfig(enabled=True, tier_threshold=RiskTier.EXTERNAL_IO, timeout_s=60)
    world = timed_world(storage, clock, human)
    run = await paused(world, policy={})
    assert await world.runtime.expiry.expire() == 0
    clock.advance(61)
    with pytest.raises(ApprovalExpiredError):
        await decide(world, asked(run), "approve")
    again = timed_world(storage, clock, human)
    assert await again.runtime.engine.recover() == 0
    assert await again.runtime.expiry.expire() == 1
    done = await ended(again, run.run_id)

    assert (done.status, done.usage.steps) == (RunStatus.REJECTED, 1)
    assert "nobody decided in time" in (done.reason or "")
    with pytest.raises(ApprovalExpiredError):
        await decide(again, asked(run), "approve")
    assert await verified(again, run.run_id)


async def test_waiting_does_not_use_up_the_run_s_time() -> None:
    """timeout_s counts the time at work."""
    storage, clock = MemoryStorage(), FakeClock()
    world = timed_world(storage, clock, HumanInLoopConfig(enabled=True, tier_threshold=RiskTier.EXTERNAL_IO))
    run = await paused(world, policy={"timeout_s": 30.0})
    clock.advance(3000)
    await decide(world, asked(run), "approve")

    assert (await ended(world, run.run_id)).status is RunStatus.COMPLETED


@pytest.mark.parametrize("stop_after", range(12))
async def test_a_process_that_dies_after_a_decision_leaves_exactly_one_execution(stop_after: int) -> None:
    """Killed at each turn of the loop between decision and end: the next process finishes, nothing is recorded twice."""
    world = make_world()
    run = await paused(world)
    decision = asyncio.create_task(decide(world, asked(run), "approve"))
    for _ in range(stop_after):
        await asyncio.sleep(0)
    for task in [decision, *world.runtime.engine._tasks]:
        task.cancel()
    await asyncio.gather(decision, *world.runtime.engine._tasks, return_exceptions=True)
    await asyncio.sleep(0)
    for task in list(world.runtime.engine._tasks):
        task.cancel()
    await asyncio.gather(*world.runtime.engine._tasks, return_exceptions=True)
    again = make_world(storage=world.storage, ids=SequentialIds())
    await again.runtime.engine.recover()
    await ended(again, run.run_id)
    await decide(again, asked(run), "approve")
    done = await ended(again, run.run_id)

    assert done.status is RunStatus.COMPLETED
    committed = [e.node_id for e in await again.entries(run.run_id) if e.kind is EntryKind.STEP_COMMITTED]
    assert committed == ["writer", "publisher"]
    assert await verified(again, run.run_id)
