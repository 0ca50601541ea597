"""The memory store: the reference for what every other store must do."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import MeshflowError, RunNotFoundError
from meshflow_grpc.domain.usage import MAX_SEQ, SessionUse
from meshflow_grpc.ledger.chain import SALT_BYTES
from meshflow_grpc.ledger.payload_cipher import NO_KEYS
from meshflow_grpc.ports.storage import CreatedRun, RawChain, RunPage
from meshflow_grpc.storage.batch import (
    Append,
    CreateRun,
    DeleteRun,
    ErasePayloads,
    Subject,
    already_recorded,
    head_of,
    planned_row,
    request_of,
    run_exists,
    without_payloads,
)
from meshflow_grpc.storage.memory.log_store import MemoryLogStore, pages
from meshflow_grpc.storage.memory.webhooks import MemoryWebhooks
from meshflow_grpc.storage.memory.workflows import MemoryWorkflows
from meshflow_grpc.storage.paging import checked_cursor, next_token
from meshflow_grpc.storage.rows import entry_of, entry_row, is_fork_of, run_of, usage_of
from meshflow_grpc.storage.sequencer import Sequencer
from meshflow_grpc.storage.session_use import open_reservations

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.domain.stored_row import EntryRow, RunRow
    from meshflow_grpc.ledger.payload_cipher import PayloadKeys, WrappedKey
    from meshflow_grpc.ports.storage import RunChange, RunOwner, RunQuery
    from meshflow_grpc.storage.batch import Command, Plan

_Key = tuple[str, str, int, str]


class MemoryStorage(MemoryLogStore, MemoryWorkflows, MemoryWebhooks):
    """Storage in memory; see ``ports.storage.Storage``. Durable until the process ends, which tests and trials want."""

    def __init__(self, keys: PayloadKeys = NO_KEYS) -> None:
        MemoryLogStore.__init__(self)
        MemoryWorkflows.__init__(self)
        MemoryWebhooks.__init__(self)
        self._sequencer = Sequencer(0, lambda: os.urandom(SALT_BYTES), keys)
        self._keys: dict[str, WrappedKey] = {}
        self._recorded: set[_Key] = set()
        self._requests: dict[tuple[str, str], str] = {}

    async def create_run(self, run: Run, draft: EntryDraft, request_fingerprint: str) -> CreatedRun:
        """See Storage."""
        outcome = self._write(CreateRun(run, draft, request_fingerprint), (draft,))
        if not isinstance(outcome, CreatedRun):
            raise TypeError(type(outcome).__name__)
        return outcome

    async def append(
        self, run_id: str, drafts: Sequence[EntryDraft], change: RunChange | None = None
    ) -> tuple[LedgerEntry, ...]:
        """See Storage."""
        outcome = self._write(Append(run_id, drafts, change), drafts)
        if not isinstance(outcome, tuple):
            raise TypeError(type(outcome).__name__)
        return outcome

    async def erase_payloads(self, draft: EntryDraft) -> LedgerEntry:
        """See Storage."""
        outcome = self._write(ErasePayloads(draft), (draft,))
        if not isinstance(outcome, tuple):
            raise TypeError(type(outcome).__name__)
        return outcome[0]

    async def delete_run(self, draft: EntryDraft) -> LedgerEntry:
        """See Storage."""
        await self.integrate(len(self._in_order))
        outcome = self._write(DeleteRun(draft), (draft,))
        if not isinstance(outcome, tuple):
            raise TypeError(type(outcome).__name__)
        return outcome[0]

    async def get_run(self, tenant_id: str, run_id: str) -> Run:
        """See Storage."""
        return run_of(self._row(tenant_id, run_id))

    async def list_runs(self, query: RunQuery) -> RunPage:
        """See Storage."""
        self._check_open()
        cursor = checked_cursor(query)
        found = [
            row
            for run_id, row in sorted(self._runs.items(), reverse=True)
            if row.tenant_id == query.tenant_id
            and query.status in ("", row.status)
            and query.workflow in ("", row.workflow)
            and query.session_id in ("", row.session_id)
            and (not cursor or run_id < cursor)
        ]
        page = tuple(map(run_of, found[: query.page_size]))
        return RunPage(page, next_token(query, page[-1].run_id) if len(found) > query.page_size else "")

    async def entries(
        self, tenant_id: str, run_id: str, *, after_sequence: int = 0, limit: int = 1000
    ) -> tuple[LedgerEntry, ...]:
        """See Storage."""
        found = [row for row in self._rows(tenant_id, run_id) if cast("int", row.sequence) > after_sequence]
        return tuple(map(entry_of, found[: max(limit, 0)]))

    @asynccontextmanager
    async def raw_chain(self, tenant_id: str, run_id: str) -> AsyncIterator[RawChain]:
        """See Storage."""
        rows = self._rows(tenant_id, run_id)
        yield RawChain(self._runs.get(run_id), pages(tuple(rows)))

    async def raw_chains(self, runs: Sequence[RunOwner]) -> AsyncGenerator[RawChain, None]:
        """See Storage."""
        for tenant_id, run_id in runs:
            async with self.raw_chain(tenant_id, run_id) as chain:
                yield chain

    async def forks_of(self, tenant_id: str, run_id: str) -> tuple[str, ...]:
        """See Storage."""
        starts = {fork: rows[0] for fork, rows in sorted(self._entries.items()) if rows[0].tenant_id == tenant_id}
        return tuple(fork for fork, row in starts.items() if is_fork_of(cast("bytes", row.record), run_id))

    async def unfinished_runs(self) -> tuple[Run, ...]:
        """See Storage."""
        self._check_open()
        return tuple(run_of(row) for _, row in sorted(self._runs.items()) if row.status == "running")

    async def paused_runs(self, *, after_run_id: str = "", limit: int = 200) -> tuple[Run, ...]:
        """See Storage."""
        self._check_open()
        found = [row for run_id, row in sorted(self._runs.items()) if row.status == "paused" and run_id > after_run_id]
        return tuple(map(run_of, found[:limit]))

    async def payload_keys(self, run_ids: Sequence[str]) -> dict[str, WrappedKey]:
        """See KeyedStorage."""
        return {run_id: self._keys[run_id] for run_id in run_ids if run_id in self._keys}

    async def payload_keys_not_under(self, key_id: str, after: str, limit: int) -> tuple[WrappedKey, ...]:
        """See KeyedStorage."""
        found = (key for run_id, key in sorted(self._keys.items()) if run_id > after and key.key_id != key_id)
        return tuple(found)[:limit]

    async def replace_payload_keys(self, keys: Sequence[WrappedKey]) -> None:
        """See KeyedStorage."""
        self._keys.update({key.run_id: key for key in keys if key.run_id in self._keys})

    async def session_use(self, tenant_id: str, session_id: str, *, up_to_seq: int = MAX_SEQ) -> SessionUse:
        """See Storage."""
        self._check_open()
        found = [r for r in self._runs.values() if r.tenant_id == tenant_id and r.session_id == session_id]
        running = [row for row in found if row.status == "running"]
        reserved = sum(sum(open_reservations(self._entries[str(row.run_id)], up_to_seq).values()) for row in running)
        return SessionUse(sum(usage_of(row).cost_nano_usd for row in found), reserved)

    async def ping(self) -> None:
        """See Storage."""
        self._check_open()

    async def close(self) -> None:
        """See Storage."""
        self._closed = True

    def _rows(self, tenant_id: str, run_id: str) -> list[EntryRow]:
        """The entries of a run; of a deleted one its tombstone."""
        self._check_open()
        rows = self._entries.get(run_id, [])
        if not rows or rows[0].tenant_id != tenant_id:
            raise RunNotFoundError(run_id)
        return rows

    def _row(self, tenant_id: str, run_id: str) -> RunRow:
        self._check_open()
        row = self._runs.get(run_id)
        if row is None or row.tenant_id != tenant_id:
            raise RunNotFoundError(run_id)
        return row

    def _write(self, command: Command, drafts: Sequence[EntryDraft]) -> CreatedRun | tuple[LedgerEntry, ...]:
        plan, outcome = self._planned(command, drafts)
        self._record(plan, drafts)
        self._sequencer.settle()
        return outcome

    def _planned(
        self, command: Command, drafts: Sequence[EntryDraft]
    ) -> tuple[Plan, CreatedRun | tuple[LedgerEntry, ...]]:
        """What a command would write; nothing is written yet. Raises why it is refused."""
        self._check_open()
        plan = self._plan(command)
        outcome = plan.outcomes[0]
        try:
            if isinstance(outcome, MeshflowError):
                raise outcome
            if plan.entries:
                self._check_new(plan, drafts)
        except MeshflowError:
            self._sequencer.revert()
            raise
        return plan, outcome

    def _restore(self, row: RunRow | None, entries: Sequence[EntryRow]) -> None:
        """Makes this run all that is held: how a store that keeps single runs elsewhere reads one back."""
        last = max((cast("int", entry.seq) for entry in entries), default=0)
        self._sequencer = Sequencer(last, lambda: os.urandom(SALT_BYTES))
        self._runs = {} if row is None else {str(row.run_id): row}
        self._entries = {} if row is None else {str(row.run_id): list(entries)}
        self._in_order = list(entries)
        self._recorded = {cast("_Key", (e.run_id, e.step_id, e.attempt, e.kind)) for e in entries}
        named = row is not None and row.request_id is not None
        self._requests = {(str(row.tenant_id), str(row.request_id)): str(row.run_id)} if row and named else {}

    def _plan(self, command: Command) -> Plan:
        unknown = [run_id for run_id in self._sequencer.unknown_runs((command,)) if run_id in self._runs]
        requests = {}
        if isinstance(command, CreateRun) and command.run.request_id is not None:
            key = (command.run.tenant_id, command.run.request_id)
            if key in self._requests:
                requests[key] = request_of(self._runs[self._requests[key]])
        heads = {run_id: head_of(self._runs[run_id]) for run_id in unknown}
        return self._sequencer.plan((command,), heads, requests, self._keys, self._subject(command))

    def _subject(self, command: Command) -> Subject:
        if isinstance(command, CreateRun) or not self._entries.get(command.run_id):
            return Subject()
        rows = self._entries[command.run_id]
        seqs = [cast("int", row.seq) for row in rows]
        repeated = any(_key(draft) in self._recorded for draft in command.drafts)
        return Subject(self._runs.get(command.run_id), rows[0].record, seqs, recorded=repeated)

    def _check_new(self, plan: Plan, drafts: Iterable[EntryDraft]) -> None:
        for row in plan.runs:
            if row.run_id in self._entries:
                raise run_exists(str(row.run_id))
        fresh: set[_Key] = set()
        for draft in drafts:
            key = _key(draft)
            if key in self._recorded or key in fresh:
                raise already_recorded(draft)
            fresh.add(key)

    def _record(self, plan: Plan, drafts: Iterable[EntryDraft]) -> None:
        for new in plan.runs:
            run_id = str(new.run_id)
            self._runs[run_id], self._entries[run_id] = new, []
            if new.request_id is not None:
                self._requests[str(new.tenant_id), str(new.request_id)] = run_id
        self._keys.update({key.run_id: key for key in plan.keys})
        for entry in plan.entries:
            stored = entry_row(entry)
            self._entries[entry.run_id].append(stored)
            self._in_order.append(stored)
        for run_id in plan.erased_runs:
            self._keys.pop(run_id, None)
            self._entries[run_id] = [without_payloads(row) for row in self._entries[run_id]]
        for run_id in plan.updates:
            self._update(plan, run_id)
        for run_id in plan.deleted_runs:
            self._delete(run_id)
        if plan.entries:
            self._recorded.update(map(_key, drafts))

    def _update(self, plan: Plan, run_id: str) -> None:
        held = self._runs[run_id]
        self._runs[run_id] = planned_row(plan, run_id, held)
        if self._runs[run_id].request_id is None:
            self._requests.pop((str(held.tenant_id), str(held.request_id)), None)

    def _delete(self, run_id: str) -> None:
        self._keys.pop(run_id, None)
        gone = self._runs.pop(run_id)
        self._requests.pop((str(gone.tenant_id), str(gone.request_id)), None)
        *rows, tombstone = self._entries[run_id]
        self._entries[run_id] = [tombstone]
        for row in rows:
            self._in_order[cast("int", row.seq) - 1] = None


def _key(draft: EntryDraft) -> _Key:
    return draft.run_id, draft.step_id, draft.attempt, draft.kind.value
