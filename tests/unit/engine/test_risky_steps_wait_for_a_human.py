"""A step at or above the threshold waits; a decision moves it exactly once; the ledger tells all of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.domain.approval import Approval, ApprovalStatus
from meshflow_grpc.domain.errors import (
    ApprovalAlreadyDecidedError,
    ApprovalDigestMismatchError,
    ApprovalExpiredError,
    ApprovalNotFoundError,
    ApprovalNotReadyError,
    InvalidRequestError,
    InvalidWorkflowError,
    PermissionDeniedError,
    PolicyFieldNotEnforcedError,
)
from meshflow_grpc.domain.event import EventType
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.policy import HumanInLoopConfig, Policy, RiskTier
from meshflow_grpc.domain.run import EventView, Principal, Run, RunRequest, RunStatus
from meshflow_grpc.engine import gates as gates_module
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.clock import FakeClock
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, SCANNER, World, make_world

BOB = Principal("bob", "acme", frozenset({"approver"}), method="test")
HUMAN: dict[str, object] = {"enabled": True, "tier_threshold": RiskTier.EXTERNAL_IO}
POLICY: dict[str, object] = {"human_in_loop": HUMAN}
PUBLISH = """
name: publishing
entry: writer
nodes:
  writer: {}
  publisher: {risk: external_io}
edges:
  - writer -> publisher
"""
BRANCHES = """
name: branches
entry: start
nodes:
  start: {}
  left: {risk: external_io}
  right: {risk: irreversible}
  free: {}
  join: {}
edges:
  - start -> left
  - start -> right
  - start -> free
  - left -> join
  - right -> join
  - free -> join
"""
GATE = """
name: gated
entry: writer
nodes:
  writer: {}
  ok: {kind: human, prompt: May this go out?}
  publisher: {}
edges:
  - writer -> ok
  - ok -> publisher
"""


async def paused(world: World, yaml: str = PUBLISH, policy: dict[str, object] | None = None) -> Run:
    """A run of alice that waits."""
    run = await world.run(workflow_yaml=yaml, policy=POLICY if policy is None else policy)
    assert run.status is RunStatus.PAUSED
    return run


def asked(run: Run) -> str:
    """Id of the first approval a run waits for."""
    assert run.pending_approval is not None
    return run.pending_approval.approval_id


async def decide(world: World, approval_id: str, decision: str, by: Principal = BOB, **more: Any) -> Approval:
    """A decision."""
    return await world.runtime.commands.decide_approval.execute(by, approval_id, decision=decision, **more)


async def ended(world: World, run_id: str) -> Run:
    """The run once nothing moves it any more."""
    return await world.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=5)


async def verified(world: World, run_id: str) -> bool:
    """Whether the chain is intact."""
    return bool(await world.runtime.commands.verify_run.execute(ALICE, run_id))


async def pending(world: World) -> list[Approval]:
    """What waits for the tenant."""
    page = await world.runtime.commands.list_approvals.execute(BOB, page_size=0, page_token="", run_id="")
    return list(page.approvals)


def calls(world: World, agent: str) -> int:
    """How often an agent's model was called."""
    return sum(request.agent_id == agent for request in world.provider.requests)


async def test_a_step_at_the_threshold_waits_and_is_not_executed(world: World) -> None:
    """The steps before it are done; the process holds nothing of the run."""
    run = await paused(world)

    assert (calls(world, "writer"), calls(world, "publisher")) == (1, 0)
    assert (await pending(world))[0].approval_id == asked(run)
    assert world.runtime.engine.in_flight == 0
    assert await world.runtime.commands.get_run.execute(ALICE, run.run_id) == run
    assert [e.kind for e in await world.entries(run.run_id)][-2:] == [EntryKind.STEP_PAUSED, EntryKind.RUN_PAUSED]
    assert await verified(world, run.run_id)


async def test_an_approved_step_is_executed_once_with_what_was_shown(world: World) -> None:
    """The run goes on to its end, and names the reviewer."""
    run = await paused(world)
    shown = (await pending(world))[0]
    approval = await decide(world, asked(run), "approve", comment="fine", expected_action_digest=shown.action_digest)
    done = await ended(world, run.run_id)

    assert (approval.status, approval.reviewer, approval.comment) == (ApprovalStatus.APPROVED, "bob", "fine")
    assert (done.status, done.output) == (RunStatus.COMPLETED, "publisher done")
    assert (calls(world, "writer"), calls(world, "publisher")) == (1, 1)
    assert json.loads(shown.input or "")["upstream"] == {"writer": "writer done"}
    assert done.usage.steps == 2
    assert await verified(world, run.run_id)


async def test_a_rejected_step_ends_the_run_as_rejected(world: World) -> None:
    """Nothing is executed; what was released before stays."""
    run = await paused(world)
    await decide(world, asked(run), "reject", comment="not now")
    done = await ended(world, run.run_id)

    assert (done.status, done.output) == (RunStatus.REJECTED, "writer done")
    assert "by bob: not now" in (done.reason or "")
    assert calls(world, "publisher") == 0
    assert await verified(world, run.run_id)


async def test_the_same_decision_again_changes_nothing_and_another_is_refused(world: World) -> None:
    """Once decided, decided."""
    run = await paused(world)
    first = await decide(world, asked(run), "approve")
    again = await decide(world, asked(run), "approve")

    assert again == first
    with pytest.raises(ApprovalAlreadyDecidedError):
        await decide(world, asked(run), "reject")
    await ended(world, run.run_id)
    assert calls(world, "publisher") == 1


async def test_decisions_at_the_same_time_are_one_decision(world: World) -> None:
    """Two reviewers, one entry."""
    run = await paused(world)
    answers = await asyncio.gather(
        *(decide(world, asked(run), d) for d in ("approve", "reject", "approve")), return_exceptions=True
    )
    await ended(world, run.run_id)

    assert sum(isinstance(a, ApprovalAlreadyDecidedError) for a in answers) == 1
    kinds = [e.kind for e in await world.entries(run.run_id)]
    assert kinds.count(EntryKind.GATE_DECIDED) == 1
    assert calls(world, "publisher") == 1
    assert await verified(world, run.run_id)


async def test_a_decision_about_another_action_is_refused(world: World) -> None:
    """The digest the reviewer saw must be the action's."""
    run = await paused(world)
    with pytest.raises(ApprovalDigestMismatchError):
        await decide(world, asked(run), "approve", expected_action_digest="0" * 64)
    assert len(await pending(world)) == 1


async def test_an_approval_of_another_action_denies_the_step(world: World) -> None:
    """Someone changed what the step is given between decision and execution."""
    run = await paused(world)
    approval = (await pending(world))[0]

    async def tampered(self: object, tenant: str, approval_id: str) -> Any:
        found, _, entries = await original(self, tenant, approval_id)
        return found, replace(approval, action_digest="f" * 64), entries

    original = gates_module.Gates._find
    gates_module.Gates._find = tampered  # type: ignore[method-assign]
    try:
        await decide(world, asked(run), "approve")
    finally:
        gates_module.Gates._find = original  # type: ignore[method-assign]
    done = await ended(world, run.run_id)

    assert (done.status, done.blocked_by) == (RunStatus.BLOCKED, "risk_classification")
    assert calls(world, "publisher") == 0


async def test_only_approvers_decide_and_nobody_approves_their_own_run(world: World) -> None:
    """Separation of duties wherever approvers are named; rejecting one's own run is allowed."""
    policy: dict[str, object] = {"human_in_loop": {**HUMAN, "approvers": ("role:approver", "alice")}}
    run = await paused(world, policy=policy)
    with pytest.raises(PermissionDeniedError, match="not one of"):
        await decide(world, asked(run), "approve", Principal("eve", "acme"))
    with pytest.raises(PermissionDeniedError, match="separation of duties"):
        await decide(world, asked(run), "approve", ALICE)
    await decide(world, asked(run), "approve")

    assert (await ended(world, run.run_id)).status is RunStatus.COMPLETED
    other = await paused(world, policy=policy)
    await decide(world, asked(other), "reject", ALICE)
    assert (await ended(world, other.run_id)).status is RunStatus.REJECTED


async def test_another_tenant_sees_and_decides_nothing(world: World) -> None:
    """As if it did not exist."""
    run = await paused(world)
    stranger = Principal("bob", "other")
    page = await world.runtime.commands.list_approvals.execute(stranger, page_size=0, page_token="", run_id="")

    assert page.approvals == ()
    for approval_id in (asked(run), "apr_x", "nonsense", f"{asked(run)}9"):
        with pytest.raises(ApprovalNotFoundError):
            await decide(world, approval_id, "approve", stranger)


async def test_a_decision_must_be_a_word_of_the_contract(world: World) -> None:
    """Named field, named words."""
    with pytest.raises(InvalidRequestError, match="approve, reject"):
        await decide(world, "apr_x-1", "yes")


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
    while EntryKind.STEP_PAUSED not in [e.kind for e in await world.entries(run_id)]:
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
    assert await world.runtime.gates.expire() == 0
    clock.advance(61)
    with pytest.raises(ApprovalExpiredError):
        await decide(world, asked(run), "approve")
    again = timed_world(storage, clock, human)
    assert await again.runtime.engine.recover() == 0
    assert await again.runtime.gates.expire() == 1
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
