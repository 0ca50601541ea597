"""A step at or above the threshold waits; a decision moves it exactly once; the ledger tells all of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from meshflow_grpc.domain.approval import ApprovalStatus
from meshflow_grpc.domain.errors import (
    ApprovalAlreadyDecidedError,
    ApprovalDigestMismatchError,
    ApprovalNotFoundError,
    InvalidRequestError,
    PermissionDeniedError,
)
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import Principal, RunStatus
from meshflow_grpc.engine import gates as gates_module
from tests.unit.engine.conftest import ALICE, World
from tests.unit.engine.gated import (
    HUMAN,
    asked,
    calls,
    decide,
    ended,
    paused,
    pending,
    verified,
)


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
