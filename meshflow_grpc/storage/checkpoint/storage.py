"""One run as a ledger of its own, kept in a checkpoint store: every commit is a record there before anyone sees it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LogInconsistentError, RunConflictError
from meshflow_grpc.ledger.payload_cipher import NO_KEYS
from meshflow_grpc.ledger.verify import ChainVerifier
from meshflow_grpc.ports.checkpoint import PositionTakenError
from meshflow_grpc.ports.storage import CreatedRun
from meshflow_grpc.storage.batch import Append, CreateRun, ErasePayloads, planned_row, without_payloads
from meshflow_grpc.storage.checkpoint.codec import Record, decode_all, encode
from meshflow_grpc.storage.memory.storage import MemoryStorage
from meshflow_grpc.storage.rows import entry_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ledger.payload_cipher import PayloadKeys
    from meshflow_grpc.ports.checkpoint import CheckpointStore
    from meshflow_grpc.ports.storage import RunChange
    from meshflow_grpc.storage.batch import Command, Plan

# A snapshot is written when the records since the last one are this many, and as many entries as it holds.
SNAPSHOT_AFTER = 64


class CheckpointedStorage(MemoryStorage):
    """See ``ports.storage.Storage``, for a single run. Opened with ``open``; other runs are not found here.

    A process that loses its place to another one gets RunConflictError and can write no more.
    """

    def __init__(self, store: CheckpointStore, run_id: str, keys: PayloadKeys = NO_KEYS) -> None:
        super().__init__()
        self._record_keys = keys
        self._store = store
        self._run_id = run_id
        self._position = 0
        self._since_snapshot = 0
        self._in_snapshot = 0
        self._writing = asyncio.Lock()
        self._uncertain = True
        self._lost = False

    @classmethod
    async def open(cls, store: CheckpointStore, run_id: str, keys: PayloadKeys = NO_KEYS) -> CheckpointedStorage:
        """Reads the run; raises LedgerUnavailableError, also for a checkpoint that was tampered with.

        With keys its records are encrypted; raises PayloadKeyUnavailableError when one of them lacks its key.
        """
        opened = cls(store, run_id, keys)
        async with opened._writing:
            await opened._load()
        return opened

    async def create_run(self, run: Run, draft: EntryDraft, request_fingerprint: str) -> CreatedRun:
        """See Storage."""
        outcome = await self._commit(CreateRun(run, draft, request_fingerprint), (draft,))
        if not isinstance(outcome, CreatedRun):
            raise TypeError(type(outcome).__name__)
        return outcome

    async def append(
        self, run_id: str, drafts: Sequence[EntryDraft], change: RunChange | None = None
    ) -> tuple[LedgerEntry, ...]:
        """See Storage."""
        outcome = await self._commit(Append(run_id, drafts, change), drafts)
        if not isinstance(outcome, tuple):
            raise TypeError(type(outcome).__name__)
        return outcome

    async def erase_payloads(self, draft: EntryDraft) -> LedgerEntry:
        """See Storage; what was erased is gone from the checkpoint too."""
        outcome = await self._commit(ErasePayloads(draft), (draft,))
        if not isinstance(outcome, tuple):
            raise TypeError(type(outcome).__name__)
        return outcome[0]

    async def delete_run(self, draft: EntryDraft) -> LedgerEntry:
        """Raises RunConflictError: a checkpoint is cleared as a whole."""
        raise RunConflictError(
            f"the checkpoint of run {draft.run_id!r} is not deleted entry by entry; clear it",
            metadata={"run_id": draft.run_id},
        )

    async def _commit(self, command: Command, drafts: Sequence[EntryDraft]) -> CreatedRun | tuple[LedgerEntry, ...]:
        async with self._writing:
            if self._lost:
                raise self._conflict()
            if self._uncertain:
                await self._load()
            plan, outcome = self._planned(command, drafts)
            if not plan.entries:
                return outcome
            try:
                await self._save(plan)
            except BaseException as error:
                self._sequencer.revert()
                self._uncertain = True
                if isinstance(error, PositionTakenError):
                    self._lost = True
                    raise self._conflict() from error
                raise
            self._record(plan, drafts)
            self._sequencer.settle()
            return outcome

    async def _save(self, plan: Plan) -> None:
        row = planned_row(plan, self._run_id, self._runs.get(self._run_id))
        held = tuple(self._entries.get(self._run_id, ()))
        new = tuple(map(entry_row, plan.entries))
        if any(entry.run_id != self._run_id for entry in new):
            raise RunConflictError(f"this checkpoint is of run {self._run_id!r} alone")
        if plan.erased_runs:
            await self._snapshot(Record(row, tuple(map(without_payloads, (*held, *new))), snapshot=True))
        elif self._since_snapshot >= max(SNAPSHOT_AFTER, self._in_snapshot):
            await self._snapshot(Record(row, (*held, *new), snapshot=True))
        else:
            await self._store.append(self._run_id, self._position, encode(Record(row, new), self._record_keys))
            self._since_snapshot += 1
        self._position += 1

    async def _snapshot(self, record: Record) -> None:
        await self._store.replace(self._run_id, self._position, encode(record, self._record_keys))
        self._since_snapshot, self._in_snapshot = 0, len(record.entries)

    async def _load(self) -> None:
        """Reads the run anew: after a failed write nobody knows whether it arrived."""
        journal = await self._store.load(self._run_id)
        found = decode_all(self._run_id, journal.records, self._record_keys)
        if found is not None:
            verifier = ChainVerifier(self._run_id)
            verifier.add(found.entries)
            verdict = verifier.finish(found.run)
            if not verdict:
                fault = verdict.faults[0]
                raise LogInconsistentError(
                    f"the checkpoint of run {self._run_id!r} was changed: entry {fault.sequence}: {fault.description}"
                )
        self._restore(*((found.run, found.entries) if found is not None else (None, ())))
        self._position = journal.position
        self._since_snapshot, self._in_snapshot = max(0, len(journal.records) - 1), 0
        self._uncertain = False

    def _conflict(self) -> RunConflictError:
        return RunConflictError(
            f"another process continues run {self._run_id!r}; wait for it, or stop it and call again",
            metadata={"run_id": self._run_id},
        )
