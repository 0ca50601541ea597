"""Takes up a run where its ledger ends: after a crash, a restart, or a time without a ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.domain.errors import MeshflowError
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.run import Principal, Run, RunOutcome, RunStatus
from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.engine.executor import RunExecutor
from meshflow_grpc.engine.recovery import replay
from meshflow_grpc.engine.reservations import CHARGED, OpenReservations
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.engine.run_record import finished_draft, origin_of
from meshflow_grpc.governance.effective_policy import policy_from_json
from meshflow_grpc.kernel.durable_reservation import usage_facts
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.workflow.digest import from_json

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.engine.active_run import ActiveRun
    from meshflow_grpc.engine.admission import Admission, RunnableWorkflow
    from meshflow_grpc.engine.calls_under_way import CallsUnderWay
    from meshflow_grpc.engine.executor import RunTools
    from meshflow_grpc.engine.run_contexts import RunContexts
    from meshflow_grpc.engine.run_progress import RunProgress
    from meshflow_grpc.engine.run_record import RunOrigin
    from meshflow_grpc.ports.storage import Storage

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Restored:
    """A run read back from its ledger, not yet going on; ``left_s`` is what remains of its time."""

    origin: RunOrigin
    workflow: RunnableWorkflow
    policy: Policy
    progress: RunProgress
    left_s: float


class Resumption:
    """Resumes single runs; the engine decides which and when."""

    def __init__(
        self, storage: Storage, tools: RunTools, admission: Admission, contexts: RunContexts, calls: CallsUnderWay
    ) -> None:
        self._contexts = contexts
        self._calls = calls
        self._storage = storage
        self._tools = tools
        self._admission = admission

    async def resume(self, active: ActiveRun) -> Run:
        """Drives the run to its end or next gate; a run that ended meanwhile is returned as it is. Raises LedgerUnavailableError."""
        run = await self._storage.get_run(active.tenant_id, active.run_id)
        if run.status is not RunStatus.RUNNING:
            return run
        entries = await run_entries(self._storage, run.tenant_id, run.run_id)
        lost = OpenReservations.of(entries).total
        try:
            restored = self._restore(run, entries)
        except (LookupError, ValueError, TypeError, MeshflowError) as error:
            return await self._mark_failed(run, error, lost)
        lost += await self._unreserved(run, restored, entries)
        draft = self._resumed_draft(run, restored.progress.epoch, lost)
        change = RunChange(usage=lost) if lost != ZERO_USAGE else None
        await self._tools.recorder.append(run.run_id, (draft,), change)
        executor = await self._executor(run, restored, lost)
        if not active.created.done():
            active.created.set_result(run)
        active.attach(executor)
        return await executor.drive()

    def _restore(self, run: Run, entries: tuple[LedgerEntry, ...]) -> _Restored:
        origin = origin_of(entries[0])
        workflow = self._admission.runnable(from_json(origin.definition))
        policy = policy_from_json(origin.policy)
        progress = replay(workflow.compiled, entries)
        progress.epoch += 1
        elapsed = _seconds_between(run.create_time, self._tools.clock.now()) - _waited_s(entries)
        return _Restored(origin, workflow, policy, progress, max(0.0, policy.timeout_s - elapsed))

    async def _unreserved(self, run: Run, restored: _Restored, entries: tuple[LedgerEntry, ...]) -> Usage:
        learned = await self._contexts.learned(run, restored.policy)
        return self._calls.may_have_cost(
            restored.workflow.compiled, restored.progress, entries, restored.origin, restored.policy, learned
        )

    def _resumed_draft(self, run: Run, epoch: int, lost: Usage) -> EntryDraft:
        facts: dict[str, JsonValue] = {
            "actor": {"principal": "meshflow", "auth": "server"},
            "policy_digest": run.policy_digest,
        }
        if lost != ZERO_USAGE:
            facts[CHARGED] = usage_facts(lost)
        now, step_id = self._tools.clock.now(), f"resume#{epoch}"
        return EntryDraft(run.run_id, run.tenant_id, EntryKind.RUN_RESUMED, now, step_id=step_id, facts=facts)

    async def _executor(self, run: Run, restored: _Restored, lost: Usage) -> RunExecutor:
        origin, workflow, policy, progress = restored.origin, restored.workflow, restored.policy, restored.progress
        context = await self._contexts.make(
            run,
            origin.principal,
            policy,
            workflow.agents,
            left_s=restored.left_s,
            reviewed=workflow.reviewed,
            approved=origin.approved,
            spent=progress.usage,
            lost=lost,
            told=origin.conversation,
        )
        return RunExecutor(self._tools, run, workflow.compiled, context, origin.task, progress)

    async def _mark_failed(self, run: Run, error: Exception, lost: Usage) -> Run:
        _log.error("run_not_resumable", run_id=run.run_id, error=str(error))
        outcome = RunOutcome(RunStatus.FAILED, run.output, None, f"the run could not be resumed: {error}")
        server = Principal("meshflow", run.tenant_id, method="server")
        draft = finished_draft(run, outcome, run.usage + lost, self._tools.clock.now(), server)
        change = RunChange(lost, outcome.status, outcome.output, None, outcome.reason)
        (entry,) = await self._tools.recorder.append(run.run_id, (draft,), change)
        return run._replace(
            status=outcome.status,
            usage=run.usage + lost,
            reason=outcome.reason,
            entries=entry.sequence,
            head_hash=entry.hash,
            update_time=entry.time,
        )


def _waited_s(entries: tuple[LedgerEntry, ...]) -> float:
    """Seconds the run waited for humans: they do not count against its timeout_s."""
    return sum(_seconds_between(a.time, b.time) for a, b in pairwise(entries) if a.kind is EntryKind.RUN_PAUSED)


def _seconds_between(earlier: str, later: str) -> float:
    return max(0.0, (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds())
