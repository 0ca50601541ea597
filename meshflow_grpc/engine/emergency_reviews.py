"""A second person's review of an emergency approval: a recorded run of its own, since the reviewed one may have ended for good."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import (
    ApprovalAlreadyDecidedError,
    ApprovalNotReadyError,
    FieldViolation,
    InvalidRequestError,
    PermissionDeniedError,
    RunConflictError,
    RunNotFoundError,
)
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.run import RECORDED_WORKFLOW, Run, RunOutcome, RunStatus
from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.engine.run_record import finished_draft
from meshflow_grpc.governance.emergency import REVIEWS, may_only_break_glass, review_of, review_run_id
from meshflow_grpc.governance.storage_limit import PAYLOAD_DAYS
from meshflow_grpc.kernel.uninterrupted import uninterrupted
from meshflow_grpc.ports.storage import RunChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.approval import Approval, ReviewFinding
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.gates import Gates
    from meshflow_grpc.engine.recorder import PublishingRecorder
    from meshflow_grpc.governance.reauthentication import Reauthentication
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.storage import Storage


class EmergencyReviews:
    """Records reviews, one for each emergency approval, and finds them."""

    def __init__(
        self,
        storage: Storage,
        recorder: PublishingRecorder,
        engine: Engine,
        gates: Gates,
        clock: Clock,
        reauthentication: Reauthentication,
    ) -> None:
        self._storage = storage
        self._recorder = recorder
        self._engine = engine
        self._gates = gates
        self._clock = clock
        self._reauthentication = reauthentication

    async def with_review(self, approval: Approval) -> Approval:
        """An emergency approval with the run that records its review, if there is one."""
        if not approval.break_glass:
            return approval
        found = await self._recorded(approval)
        return approval if found is None else replace(approval, review_run_id=found.run_id)

    async def review(
        self, tenant_id: str, approval_id: str, finding: ReviewFinding, reviewer: Principal, comment: str
    ) -> Approval:
        """Returns the approval when the review is durable. The same again changes nothing; another is refused.

        Raises ApprovalNotFoundError, RunConflictError for what was no emergency, PermissionDeniedError to who broke the glass,
        ReauthenticationRequiredError, InvalidRequestError without a comment, ApprovalAlreadyDecidedError and ApprovalNotReadyError.
        """
        approval = await self._gates.get(tenant_id, approval_id)
        run = await self._storage.get_run(tenant_id, approval.run_id)
        _check(approval, reviewer, comment)
        recorded = await self._recorded(approval)
        if recorded is None:
            entries = await run_entries(self._storage, tenant_id, run.run_id)
            facts = self._facts(run, entries, approval_id, finding, reviewer)
            await self._record(run, approval, facts, comment, reviewer)
            recorded = await self._recorded(approval)
        said = {} if recorded is None else review_of(recorded.facts)
        if said.get("finding") != finding.value or said.get("reviewer") != reviewer.id:
            text = f"{said.get('reviewer')} has reviewed it: {said.get('finding')}"
            raise ApprovalAlreadyDecidedError(text, metadata={"approval_id": approval_id})
        return await self.with_review(approval)

    async def _recorded(self, approval: Approval) -> LedgerEntry | None:
        try:
            return (await self._storage.entries(approval.tenant_id, review_run_id(approval.approval_id), limit=1))[0]
        except RunNotFoundError:
            return None

    def _facts(
        self, run: Run, entries: Sequence[LedgerEntry], approval_id: str, finding: ReviewFinding, reviewer: Principal
    ) -> Mapping[str, JsonValue]:
        found = (e for e in entries if e.kind is EntryKind.GATE_DECIDED and e.facts["approval_id"] == approval_id)
        decided = next(found)
        kept = {name: entries[0].facts[name] for name in (PAYLOAD_DAYS,) if name in entries[0].facts}
        profiles = cast("Sequence[str]", run.policy.get("compliance", ()))
        about: dict[str, JsonValue] = {
            "approval_id": approval_id,
            "finding": finding.value,
            "hash": decided.hash,
            "reviewer": reviewer.id,
            "run_id": run.run_id,
            "sequence": decided.sequence,
        }
        return {
            "actor": self._reauthentication.actor(reviewer, profiles, self._clock.now()),
            "policy_digest": run.policy_digest,
            REVIEWS: about,
            "workflow": RECORDED_WORKFLOW,
            **kept,
        }

    async def _record(
        self, run: Run, approval: Approval, facts: Mapping[str, JsonValue], comment: str, reviewer: Principal
    ) -> None:
        """As immutable, and kept as long, as the run it is about."""
        now = self._clock.now()
        record = Run(
            review_run_id(approval.approval_id),
            run.tenant_id,
            RECORDED_WORKFLOW,
            RunStatus.RUNNING,
            run.policy_digest,
            run.policy,
            now,
            now,
            reviewer.id,
        )
        said = json.dumps({"comment": comment}, ensure_ascii=False, separators=(",", ":"))
        draft = EntryDraft(record.run_id, run.tenant_id, EntryKind.RUN_STARTED, now, facts=facts, output=said)
        active = self._engine.claim(record.run_id, run.tenant_id)
        if active is None:
            raise ApprovalNotReadyError("it is being reviewed just now; try again", retry_after_s=1.0)
        try:
            await uninterrupted(self._both(record, draft, reviewer))
        except BaseException as error:
            active.fail(error)
            raise
        else:
            active.succeed(record)
        finally:
            self._engine.release(active)

    async def _both(self, record: Run, draft: EntryDraft, reviewer: Principal) -> None:
        created = await self._recorder.create_run(record, draft, "")
        if created.entry is None:
            return
        end = RunOutcome(RunStatus.COMPLETED)
        finished = finished_draft(record, end, ZERO_USAGE, record.create_time, reviewer)
        await self._recorder.append(record.run_id, (finished,), RunChange(None, end.status, "", None, None))


def _check(approval: Approval, reviewer: Principal, comment: str) -> None:
    metadata = {"approval_id": approval.approval_id}
    if not approval.break_glass:
        raise RunConflictError(
            "it was no emergency, and needs no review: only an approval that shows break_glass does", metadata=metadata
        )
    if reviewer.id == approval.reviewer or may_only_break_glass(reviewer):
        text = f"{reviewer.id!r} may not review it; ask another person with the role approver"
        raise PermissionDeniedError(text, metadata=metadata)
    if not comment.strip():
        raise InvalidRequestError.of(FieldViolation("comment", "must say what the review found"))
