"""What ReplayLedger does with the runs of a ledger, awaitable: record, read, compare, fork, verify, export and erase."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from meshflow_grpc.commands.erase_run import EraseMode, EraseRunCommand
from meshflow_grpc.config import load_ledger_settings
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, RunNotFoundError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import Principal, RunOutcome, RunStatus
from meshflow_grpc.domain.usage import usd
from meshflow_grpc.engine.fork import ForkPoint, NewFork, fork_of
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.engine.run_record import finished_draft
from meshflow_grpc.ledger.run_diff import STEP_ENDS, RunDiff, diff_runs
from meshflow_grpc.ledger.run_export import run_csv, run_json
from meshflow_grpc.ledger.verify import ChainVerifier
from meshflow_grpc.ports.storage import RunChange, RunQuery
from meshflow_grpc.replay.step_record import ENDS, StepRecord, recorded_run, recorded_step
from meshflow_grpc.storage.factory import check_exists, open_storage
from meshflow_grpc.system import SystemClock, Uuid7Ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from meshflow_grpc.commands.erase_run import ErasedRun
    from meshflow_grpc.domain.check import ChainVerification
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.ledger.payload_cipher import PayloadKeys
    from meshflow_grpc.ports.storage import Storage

_PAGE = 1000


class AwaitableLedger:
    """See ReplayLedger."""

    def __init__(self, url: str, *, tenant_id: str = "default", payload_keys: PayloadKeys | None = None) -> None:
        self._url = url
        self._payload_keys = payload_keys
        self._tenant_id = tenant_id
        self._kept: Storage | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._kept = await self._stack.enter_async_context(self._opened(read_only=False, new=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept = None
        await self._stack.aclose()

    async def write(self, step_record: StepRecord, *, principal_id: str = "local") -> LedgerEntry:
        """Records a step and returns its entry when it is durable; the first step of an unknown run starts it.

        Raises RunConflictError for a run that has ended, EntryAlreadyRecordedError for a (step_id, attempt) that is recorded.
        """
        principal, now = self._principal(principal_id), SystemClock().now()
        run_id = step_record.run_id
        async with self._opened(read_only=False, new=True) as storage:
            try:
                run = await storage.get_run(self._tenant_id, run_id)
            except RunNotFoundError:
                new, started = recorded_run(run_id, principal, now)
                run = (await storage.create_run(new, started, "")).run
            draft, change = recorded_step(step_record, principal, run.entries, now)
            (entry,) = await storage.append(run_id, (draft,), change)
            return entry

    async def finish_run(
        self,
        run_id: str,
        *,
        status: str = "completed",
        output: str = "",
        reason: str | None = None,
        principal_id: str = "local",
    ) -> LedgerEntry:
        """Ends a run whose steps were written; returns its last entry. Raises RunConflictError for one that has ended."""
        if status not in ENDS:
            text = f"must be one of {', '.join(sorted(ENDS))}, got {status!r}"
            raise InvalidRequestError.of(FieldViolation("status", text))
        outcome = RunOutcome(RunStatus(status), output, None, reason)
        async with self._opened(read_only=False) as storage:
            run = await storage.get_run(self._tenant_id, run_id)
            draft = finished_draft(run, outcome, run.usage, SystemClock().now(), self._principal(principal_id))
            change = RunChange(None, outcome.status, output, None, reason)
            (entry,) = await storage.append(run_id, (draft,), change)
            return entry

    @property
    def url(self) -> str:
        """The ledger's address."""
        return self._url

    async def get_run(self, run_id: str) -> list[LedgerEntry]:
        """Returns the entries of a run in the order of its chain."""
        async with self._opened() as storage:
            return list(await run_entries(storage, self._tenant_id, run_id))

    async def list_runs(self) -> list[str]:
        """Returns the ids of all runs, newest first."""
        found: list[str] = []
        token = ""
        async with self._opened() as storage:
            while True:
                page = await storage.list_runs(RunQuery(self._tenant_id, _PAGE, token))
                found += [run.run_id for run in page.runs]
                token = page.next_page_token
                if not token:
                    return found

    async def run_summary(self, run_id: str) -> dict[str, Any]:
        """Returns status, totals and the head of the chain."""
        async with self._opened() as storage:
            run = await storage.get_run(self._tenant_id, run_id)
        return {
            "run_id": run.run_id,
            "workflow": run.workflow,
            "status": run.status.value,
            "steps": run.usage.steps,
            "total_cost_usd": usd(run.usage.cost_nano_usd),
            "total_tokens": run.usage.tokens,
            "blocked_by": run.blocked_by,
            "create_time": run.create_time,
            "update_time": run.update_time,
            "ledger_entries": run.entries,
            "ledger_head": run.head_hash,
        }

    async def load_state(self, run_id: str, *, step_index: int) -> LedgerEntry:
        """Returns how a run's step ended, counted from 0 in the order of the chain; raises InvalidRequestError beyond the last."""
        steps = [entry for entry in await self.get_run(run_id) if entry.kind in STEP_ENDS]
        _check_index("step_index", step_index, len(steps), len(steps))
        return steps[step_index]

    async def diff(self, run_a: str, run_b: str) -> RunDiff:
        """Compares two runs; deltas are B minus A."""
        async with self._opened() as storage:
            return diff_runs(
                await storage.get_run(self._tenant_id, run_a),
                await run_entries(storage, self._tenant_id, run_a),
                await storage.get_run(self._tenant_id, run_b),
                await run_entries(storage, self._tenant_id, run_b),
            )

    async def fork(self, run_id: str, from_step: int, *, principal_id: str = "local") -> str:
        """Records a new run that keeps the steps before this one (``load_state``'s index), and returns its id.

        It goes on when a server with this ledger starts; a running one has ForkRun. The fork of a run recorded by hand is one as well:
        it goes on with ``write``. A run that has ended may be forked after its last step. Raises InvalidRequestError beyond that.
        """
        entries = await self.get_run(run_id)
        steps = [entry.sequence for entry in entries if entry.kind in STEP_ENDS]
        points = steps + [entry.sequence for entry in entries if steps and entry.kind is EntryKind.RUN_FINISHED]
        _check_index("from_step", from_step, len(points), len(steps))
        return await self.fork_before(run_id, ForkPoint(before_sequence=points[from_step]), principal_id=principal_id)

    async def fork_before(self, run_id: str, point: ForkPoint, *, principal_id: str = "local") -> str:
        """Does what ``fork`` does, before a place of the chain or a node."""
        async with self._opened(read_only=False) as storage:
            parent = await storage.get_run(self._tenant_id, run_id)
            entries = await run_entries(storage, self._tenant_id, run_id)
            new = NewFork(Uuid7Ids().run_id(), SystemClock().now(), by_hand=True)
            fork = fork_of(parent, entries, point, new, self._principal(principal_id))
            return (await storage.create_run(fork.run, fork.draft, "")).run.run_id

    async def verify_chain(self, run_id: str) -> ChainVerification:
        """Verifies a run as stored; the result is truthy when valid, else its faults name the entries."""
        verifier = ChainVerifier(run_id)
        async with self._opened() as storage, storage.raw_chain(self._tenant_id, run_id) as chain:
            async for page in chain.pages:
                verifier.add(page)
            return verifier.finish(chain.run)

    async def export_run(self, run_id: str) -> str:
        """Returns the run and its entries as JSON text."""
        async with self._opened() as storage:
            return run_json(
                await storage.get_run(self._tenant_id, run_id), await run_entries(storage, self._tenant_id, run_id)
            )

    async def export_run_csv(self, run_id: str) -> str:
        """Returns the entries as CSV that spreadsheets do not run as formulas."""
        return run_csv(await self.get_run(run_id))

    async def anonymize_run(
        self, run_id: str, *, principal_id: str = "local", basis: str = "gdpr art. 17", include_forks: bool = False
    ) -> int:
        """Erases all payloads of a run that has ended and returns how many there were, 0 when it was done before.

        Raises RunConflictError for a run that goes on. The erasure is an entry of the run, whose chain stays valid.
        """
        erased = await self.erase_run(
            run_id, "anonymize", principal_id=principal_id, basis=basis, include_forks=include_forks
        )
        return erased.payloads

    async def delete_run(
        self, run_id: str, *, principal_id: str = "local", basis: str = "gdpr art. 17", include_forks: bool = False
    ) -> int:
        """Deletes a run that has ended and returns how many entries it had, 0 when it was done before; a tombstone remains.

        Raises RunImmutableError under policy.immutable_audit, and RunConflictError for a run that goes on.
        """
        erased = await self.erase_run(
            run_id, EraseMode.DELETE, principal_id=principal_id, basis=basis, include_forks=include_forks
        )
        return erased.entries

    async def erase_run(
        self, run_id: str, mode: str, *, principal_id: str = "local", basis: str, include_forks: bool = False
    ) -> ErasedRun:
        """Does what EraseRun does: ``mode`` is ``anonymize`` or ``delete``; the answer names forks that hold copies."""
        async with self._opened(read_only=False) as storage:
            command = EraseRunCommand(storage, SystemClock())
            return await command.execute(
                self._principal(principal_id), run_id, basis=basis, mode=mode, include_forks=include_forks
            )

    def _principal(self, principal_id: str) -> Principal:
        return Principal(principal_id, self._tenant_id, method="local")

    @asynccontextmanager
    async def _opened(self, *, read_only: bool = True, new: bool = False) -> AsyncIterator[Storage]:
        """``new`` allows a ledger file that does not exist yet; elsewhere that is a misspelt name."""
        if self._kept is not None:
            yield self._kept
            return
        if not new:
            check_exists(self._url)
        keys = self._payload_keys
        if keys is None:
            keys = load_ledger_settings(ledger_db=self._url).payload_keys
        storage = await open_storage(self._url, read_only=read_only, pool_min=1, payload_keys=keys)
        try:
            yield storage
        finally:
            await storage.close()


def _check_index(name: str, index: object, end: int, steps: int) -> None:
    """Raises InvalidRequestError unless an index of a step, counted from 0, is one below ``end``."""
    if steps == 0:
        raise InvalidRequestError.of(FieldViolation(name, "the run has no steps yet"))
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < end:
        text = f"must be a whole number between 0 and {end - 1}, got {index!r}; the run has {steps} steps"
        raise InvalidRequestError.of(FieldViolation(name, text))
