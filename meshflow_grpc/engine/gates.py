"""Decisions about paused runs: a human's, the clock's, or a cancellation. Each is in the ledger before anyone is told."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.approval import Approval, ApprovalStatus, Decision
from meshflow_grpc.domain.errors import (
    ApprovalAlreadyDecidedError,
    ApprovalDigestMismatchError,
    ApprovalExpiredError,
    ApprovalNotFoundError,
    ApprovalNotReadyError,
    DrainingError,
    LedgerUnavailableError,
    PermissionDeniedError,
    RunNotFoundError,
)
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import PendingApproval, Principal, Run, RunOutcome, RunStatus
from meshflow_grpc.engine.approvals import approvals_of, decided_draft
from meshflow_grpc.engine.events import output_text
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.engine.run_record import finished_draft
from meshflow_grpc.governance.approvers import why_not
from meshflow_grpc.governance.emergency import EMERGENCY, may_only_break_glass
from meshflow_grpc.kernel.approval import run_id_of
from meshflow_grpc.kernel.uninterrupted import uninterrupted
from meshflow_grpc.ports.storage import RunChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.engine.active_run import ActiveRun
    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.recorder import PublishingRecorder
    from meshflow_grpc.engine.server_state import ServerState
    from meshflow_grpc.governance.emergency import EmergencyAccess
    from meshflow_grpc.governance.reauthentication import Reauthentication
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.observer import AccessObserver
    from meshflow_grpc.ports.storage import Storage


SERVER = "meshflow"
BUSY_WAIT_S = 10.0  # for the other branches of a run, or another server's decision


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer says of an approval. ``action_digest`` is the one they saw; None when they name none.

    ``break_glass``: they approve in an emergency although they may not.
    """

    decision: Decision
    reviewer: Principal
    comment: str = ""
    action_digest: str | None = None
    break_glass: bool = False


class Gates:
    """Reads approvals from the ledger and decides them. Holds nothing of a paused run."""

    def __init__(
        self,
        storage: Storage,
        recorder: PublishingRecorder,
        engine: Engine,
        clock: Clock,
        state: ServerState,
        reauthentication: Reauthentication,
        emergency: EmergencyAccess,
        observer: AccessObserver,
    ) -> None:
        self._observer = observer
        self._emergency = emergency
        self._reauthentication = reauthentication
        self._storage = storage
        self._recorder = recorder
        self._engine = engine
        self._clock = clock
        self._state = state

    async def of_run(self, run: Run) -> tuple[Approval, ...]:
        """All approvals of a run."""
        return approvals_of(run, await run_entries(self._storage, run.tenant_id, run.run_id))

    async def get(self, tenant_id: str, approval_id: str) -> Approval:
        """Returns an approval; raises ApprovalNotFoundError, also for another tenant's."""
        return (await self._find(tenant_id, approval_id))[1]

    async def with_pending(self, run: Run) -> Run:
        """A paused run with the first approval it waits for."""
        if run.status is not RunStatus.PAUSED or run.pending_approval is not None:
            return run
        waiting = [a for a in await self.of_run(run) if a.status is ApprovalStatus.PENDING]
        if not waiting:
            return run
        first = waiting[0]
        pending = PendingApproval(first.approval_id, first.node_id, first.reason, first.expire_time)
        return run._replace(pending_approval=pending)

    async def decide(self, tenant_id: str, approval_id: str, review: Review) -> Approval:
        """Returns the approval when the decision is durable; an approved step then goes on by itself.

        Raises ApprovalNotFoundError, ApprovalAlreadyDecidedError, ApprovalExpiredError, ApprovalDigestMismatchError,
        PermissionDeniedError, ReauthenticationRequiredError, or ApprovalNotReadyError while other branches of the run are at work.
        """
        if self._state.draining:
            raise DrainingError("the server is draining; retry on another replica", retry_after_s=1.0)
        give_up = asyncio.get_running_loop().time() + BUSY_WAIT_S
        while True:
            run, approval, _ = await self._find(tenant_id, approval_id)
            self._check(run, approval, review)
            if approval.status is not ApprovalStatus.PENDING:
                return approval
            active = self._engine.claim(run.run_id, tenant_id)
            left_s = give_up - asyncio.get_running_loop().time()
            try:
                if active is not None:
                    return await uninterrupted(self._decide_claimed(active, approval_id, review))
                await self._until_free(run.run_id, left_s)
            except ApprovalNotReadyError:
                if left_s <= 0 or not await self._engine.elsewhere.moved(run.run_id):
                    raise

    async def _until_free(self, run_id: str, left_s: float) -> None:
        active = self._engine.active(run_id)
        if active is not None and not (await asyncio.wait((active.done,), timeout=max(0.0, left_s)))[0]:
            raise ApprovalNotReadyError("other branches of the run are still at work; try again", retry_after_s=5.0)
        await asyncio.sleep(0)

    async def _decide_claimed(self, active: ActiveRun, approval_id: str, review: Review) -> Approval:
        goes_on = owned = False
        try:
            owned = await self._engine.elsewhere.leases.claim(active.run_id)
            run, approval, entries = await self._find(active.tenant_id, approval_id)
            self._check(run, approval, review)
            if approval.status is not ApprovalStatus.PENDING:
                active.succeed(run)
                return approval
            if run.status is not RunStatus.PAUSED or not owned:
                raise ApprovalNotReadyError("the run is still at work; try again", retry_after_s=1.0)
            now = self._clock.now()
            actor = self._actor(run, review.reviewer, now)
            waived = self._waived(run, approval, review) if review.break_glass else None
            draft = decided_draft(approval, review.decision, actor, review.comment, now, waived)
            if review.decision is Decision.APPROVE:
                await self._recorder.append(run.run_id, (draft,), RunChange(status=RunStatus.RUNNING))
                goes_on = True
                self._engine.pass_on(active)
            else:
                outcome = RunOutcome(RunStatus.REJECTED, _last_output(entries), None, _rejection(approval, review))
                active.succeed(await self._end(run, (draft,), outcome, review.reviewer))
        except BaseException as error:
            active.fail(error)
            raise
        finally:
            if not goes_on:
                await self._give_back(active, owned=owned)
        decided = replace(approval, status=review.decision.status, reviewer=review.reviewer.id, decide_time=now)
        if review.break_glass:
            self._observer.emergency_access(run.run_id, approval_id, review.reviewer.id)
        return replace(decided, comment=review.comment, break_glass=review.break_glass)

    async def _give_back(self, active: ActiveRun, *, owned: bool) -> None:
        self._engine.release(active)
        if owned:
            with suppress(LedgerUnavailableError):
                await self._engine.elsewhere.leases.give_back(active.run_id)

    async def cancel(self, run: Run, principal: Principal, reason: str) -> Run | None:
        """Ends a paused run as cancelled; None when someone else is deciding about it just now."""
        active = self._engine.claim(run.run_id, run.tenant_id)
        if active is None:
            return None
        return await uninterrupted(self._cancel_claimed(active, principal, reason))

    async def _cancel_claimed(self, active: ActiveRun, principal: Principal, reason: str) -> Run:
        owned = False
        try:
            owned = await self._engine.elsewhere.leases.claim(active.run_id)
            run = await self._storage.get_run(active.tenant_id, active.run_id)
            if run.status is RunStatus.PAUSED and owned:
                outcome = RunOutcome(
                    RunStatus.CANCELLED,
                    _last_output(await run_entries(self._storage, run.tenant_id, run.run_id)),
                    None,
                    f"cancelled by {reason}",
                )
                run = await self._end(run, (), outcome, principal)
            active.succeed(run)
        except BaseException as error:
            active.fail(error)
            raise
        finally:
            await self._give_back(active, owned=owned)
        return run

    async def _end(self, run: Run, before: tuple[EntryDraft, ...], outcome: RunOutcome, by: Principal) -> Run:
        draft = finished_draft(run, outcome, run.usage, self._clock.now(), by)
        change = RunChange(None, outcome.status, outcome.output, None, outcome.reason)
        await self._recorder.append(run.run_id, (*before, draft), change)
        ended = await self._storage.get_run(run.tenant_id, run.run_id)
        self._engine.ended(ended)
        return ended

    def _actor(self, run: Run, reviewer: Principal, now: str) -> Mapping[str, JsonValue]:
        profiles = cast("Sequence[str]", run.policy.get("compliance", ()))
        return self._reauthentication.actor(reviewer, profiles, now)

    def _waived(self, run: Run, approval: Approval, review: Review) -> Mapping[str, JsonValue]:
        now = self._clock.now()
        return self._emergency.waived(
            run.policy, approval.requester, review.reviewer, review.decision, review.comment, now
        )

    def _check(self, run: Run, approval: Approval, review: Review) -> None:
        metadata = {"approval_id": approval.approval_id, "status": approval.status.value}
        if review.reviewer.method != "server":
            refusal = why_not(run.policy, approval.requester, review.reviewer, review.decision)
            if review.break_glass:
                self._waived(run, approval, review)
            elif refusal is not None or may_only_break_glass(review.reviewer):
                text = refusal or f"the role {EMERGENCY} alone approves with break_glass, and does nothing else"
                raise PermissionDeniedError(text, metadata=metadata)
            self._actor(run, review.reviewer, self._clock.now())
        if review.action_digest not in (None, approval.action_digest):
            raise ApprovalDigestMismatchError(
                "the action is not the one reviewed", metadata={**metadata, "action_digest": approval.action_digest}
            )
        if approval.status is review.decision.status:
            return
        expired = _expired(approval, self._clock.now())
        server_decided = approval.decide_time is not None and approval.reviewer == SERVER
        if review.reviewer.method != "server" and (server_decided or (_open(approval) and expired)):
            raise ApprovalExpiredError(f"the approval expired at {approval.expire_time}", metadata=metadata)
        if not _open(approval):
            what = "its run went on or ended without it" if approval.decide_time is None else approval.status.value
            raise ApprovalAlreadyDecidedError(f"the approval is not pending: {what}", metadata=metadata)

    async def _find(self, tenant_id: str, approval_id: str) -> tuple[Run, Approval, tuple[LedgerEntry, ...]]:
        run_id = run_id_of(approval_id)
        if run_id is None:
            raise ApprovalNotFoundError(approval_id)
        try:
            run = await self._storage.get_run(tenant_id, run_id)
        except RunNotFoundError as error:
            raise ApprovalNotFoundError(approval_id) from error
        entries = await run_entries(self._storage, run.tenant_id, run.run_id)
        for approval in approvals_of(run, entries):
            if approval.approval_id == approval_id:
                return run, approval, entries
        raise ApprovalNotFoundError(approval_id)


def _open(approval: Approval) -> bool:
    return approval.status is ApprovalStatus.PENDING


def _expired(approval: Approval, now: str) -> bool:
    return datetime.fromisoformat(now) >= datetime.fromisoformat(approval.expire_time)


def _rejection(approval: Approval, review: Review) -> str:
    by = "nobody decided in time" if review.reviewer.method == "server" else f"by {review.reviewer.id}"
    said = f": {review.comment}" if review.comment and review.reviewer.method != "server" else ""
    return f"step {approval.step_id!r} was rejected, {by}{said}"


def _last_output(entries: tuple[LedgerEntry, ...]) -> str:
    committed = [entry for entry in entries if entry.kind is EntryKind.STEP_COMMITTED]
    return (output_text(committed[-1].output) or "") if committed else ""
