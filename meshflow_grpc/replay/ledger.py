"""ReplayLedger: reads, compares, verifies, exports and anonymizes the runs of a ledger."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from meshflow_grpc.commands.run_entries import run_entries
from meshflow_grpc.config import load_ledger_settings
from meshflow_grpc.domain.errors import (
    EntryAlreadyRecordedError,
    FieldViolation,
    InvalidRequestError,
    PayloadKeyUnavailableError,
)
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.domain.usage import usd
from meshflow_grpc.engine.fork import ForkPoint, fork_of
from meshflow_grpc.governance.retention import check_not_held
from meshflow_grpc.ledger.erasure import new_erasure
from meshflow_grpc.ledger.run_diff import STEP_ENDS, RunDiff, diff_runs
from meshflow_grpc.ledger.run_export import run_csv, run_json
from meshflow_grpc.ledger.verify import ChainVerifier
from meshflow_grpc.ports.storage import RunQuery
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.system import SystemClock, Uuid7Ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from meshflow_grpc.domain.check import ChainVerification
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.ledger.payload_cipher import PayloadKeys
    from meshflow_grpc.ports.storage import Storage

_PAGE = 1000
T = TypeVar("T")


class ReplayLedger:
    """A ledger by its address: a file, or ``postgresql://…``. Each call opens it, so that it can be used beside a server.

    Reading never writes or creates anything. ``anonymize_run`` and ``fork`` need the file for themselves: stop the server first.
    All methods raise RunNotFoundError for a run that is not the tenant's, LedgerUnavailableError, and PayloadKeyUnavailableError when
    what was encrypted lacks its key. Keys that are not given are those of MESHFLOW_PAYLOAD_KEY.
    """

    def __init__(self, url: str, *, tenant_id: str = "default", payload_keys: PayloadKeys | None = None) -> None:
        self._url = url
        self._payload_keys = payload_keys
        self._tenant_id = tenant_id

    @property
    def url(self) -> str:
        """The ledger's address."""
        return self._url

    async def get_run(self, run_id: str) -> list[LedgerEntry]:
        """Returns the entries of a run in the order of its chain."""
        async with self._opened() as storage:
            return await run_entries(storage, self._tenant_id, run_id)

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
        if not 0 <= step_index < len(steps):
            raise InvalidRequestError.of(
                FieldViolation("step_index", f"must be between 0 and {len(steps) - 1}; the run has {len(steps)} steps")
            )
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

        It goes on when a server with this ledger starts; a running one has ForkRun. Raises InvalidRequestError beyond the last step.
        """
        step = await self.load_state(run_id, step_index=from_step)
        return await self.fork_before(run_id, ForkPoint(before_sequence=step.sequence), principal_id=principal_id)

    async def fork_before(self, run_id: str, point: ForkPoint, *, principal_id: str = "local") -> str:
        """Does what ``fork`` does, before a place of the chain or a node."""
        async with self._opened(read_only=False) as storage:
            parent = await storage.get_run(self._tenant_id, run_id)
            entries = await run_entries(storage, self._tenant_id, run_id)
            principal = Principal(principal_id, self._tenant_id, method="local")
            new_id, now = Uuid7Ids().run_id(), SystemClock().now()
            fork = fork_of(parent, entries, point, run_id=new_id, now=now, principal=principal)
            return (await storage.create_run(fork.run, fork.draft, "")).run.run_id

    def sync(self) -> SyncReplayLedger:
        """Returns the same ledger for code that is not asynchronous."""
        return SyncReplayLedger(self)

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

    async def anonymize_run(self, run_id: str, *, principal_id: str = "local", basis: str = "gdpr art. 17") -> int:
        """Erases all payloads of a run that has ended and returns how many there were, 0 when it was done before.

        Payloads that could not be read any more are not counted. Raises RunConflictError for a run that goes on, and
        PermissionDeniedError under a legal hold. The erasure is an entry of the run, whose chain stays valid.
        """
        async with self._opened(read_only=False) as storage:
            try:
                check_not_held(run_id, (await storage.get_run(self._tenant_id, run_id)).labels)
                entries = await run_entries(storage, self._tenant_id, run_id)
            except PayloadKeyUnavailableError:
                entries = []  # the key is gone already: what is left is to say so in the chain
            draft = new_erasure(run_id, self._tenant_id, SystemClock().now(), principal_id, basis)
            try:
                await storage.erase_payloads(draft)
            except EntryAlreadyRecordedError:
                return 0
        return sum((entry.input is not None) + (entry.output is not None) for entry in entries)

    @asynccontextmanager
    async def _opened(self, *, read_only: bool = True) -> AsyncIterator[Storage]:
        keys = self._payload_keys
        if keys is None:
            keys = load_ledger_settings(ledger_db=self._url).payload_keys
        storage = await open_storage(self._url, read_only=read_only, pool_min=1, payload_keys=keys)
        try:
            yield storage
        finally:
            await storage.close()


class SyncReplayLedger:
    """Each method does what ReplayLedger's of the same name does, and returns when it is done.

    Raises RuntimeError inside a running event loop: there, await ReplayLedger's own methods.
    """

    def __init__(self, ledger: ReplayLedger) -> None:
        self._ledger = ledger

    def get_run(self, run_id: str) -> list[LedgerEntry]:
        """See ReplayLedger.get_run."""
        return _wait(self._ledger.get_run(run_id))

    def list_runs(self) -> list[str]:
        """See ReplayLedger.list_runs."""
        return _wait(self._ledger.list_runs())

    def run_summary(self, run_id: str) -> dict[str, Any]:
        """See ReplayLedger.run_summary."""
        return _wait(self._ledger.run_summary(run_id))

    def load_state(self, run_id: str, *, step_index: int) -> LedgerEntry:
        """See ReplayLedger.load_state."""
        return _wait(self._ledger.load_state(run_id, step_index=step_index))

    def diff(self, run_a: str, run_b: str) -> RunDiff:
        """See ReplayLedger.diff."""
        return _wait(self._ledger.diff(run_a, run_b))

    def fork(self, run_id: str, from_step: int, *, principal_id: str = "local") -> str:
        """See ReplayLedger.fork."""
        return _wait(self._ledger.fork(run_id, from_step, principal_id=principal_id))

    def fork_before(self, run_id: str, point: ForkPoint, *, principal_id: str = "local") -> str:
        """See ReplayLedger.fork_before."""
        return _wait(self._ledger.fork_before(run_id, point, principal_id=principal_id))

    def verify_chain(self, run_id: str) -> ChainVerification:
        """See ReplayLedger.verify_chain."""
        return _wait(self._ledger.verify_chain(run_id))

    def export_run(self, run_id: str) -> str:
        """See ReplayLedger.export_run."""
        return _wait(self._ledger.export_run(run_id))

    def export_run_csv(self, run_id: str) -> str:
        """See ReplayLedger.export_run_csv."""
        return _wait(self._ledger.export_run_csv(run_id))

    def anonymize_run(self, run_id: str, *, principal_id: str = "local", basis: str = "gdpr art. 17") -> int:
        """See ReplayLedger.anonymize_run."""
        return _wait(self._ledger.anonymize_run(run_id, principal_id=principal_id, basis=basis))


def _wait(call: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(call)
    finally:
        call.close()
