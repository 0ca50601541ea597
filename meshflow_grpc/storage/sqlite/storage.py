"""The SQLite store."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import RunNotFoundError
from meshflow_grpc.domain.stored_row import EntryRow, RunRow
from meshflow_grpc.domain.usage import MAX_SEQ
from meshflow_grpc.ledger.payload_cipher import NO_KEYS, WrappedKey
from meshflow_grpc.ports.storage import CreatedRun, RawChain, RunPage
from meshflow_grpc.storage.batch import Append, CreateRun, DeleteRun, ErasePayloads
from meshflow_grpc.storage.paging import checked_cursor, next_token
from meshflow_grpc.storage.rows import entry_of, is_fork_of, run_of
from meshflow_grpc.storage.session_use import session_use
from meshflow_grpc.storage.sqlite import ledger, payload_keys, runs, sessions
from meshflow_grpc.storage.sqlite.connection import FileLock, prepare_file
from meshflow_grpc.storage.sqlite.reading import (
    at_once,
    check_schema,
    fetch_raw,
    is_text,
    open_reader,
    stored_bytes,
)
from meshflow_grpc.storage.sqlite.webhooks import SqliteWebhooks
from meshflow_grpc.storage.sqlite.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from pathlib import Path

    import aiosqlite

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.domain.usage import SessionUse
    from meshflow_grpc.ledger.payload_cipher import PayloadKeys
    from meshflow_grpc.ports.acknowledgement import Acknowledgement
    from meshflow_grpc.ports.storage import RunChange, RunOwner, RunQuery

BUSY_TIMEOUT_S = 5.0
RAW_PAGE_ROWS = 500


class SqliteStorage(SqliteWebhooks):
    """Storage on one SQLite file; see ``ports.storage.Storage`` for what it promises."""

    def __init__(self, path: Path, reader: aiosqlite.Connection, writer: Writer | None, lock: FileLock | None) -> None:
        super().__init__(path, reader, writer)
        self._lock = lock

    @classmethod
    async def open(
        cls, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S, keys: PayloadKeys = NO_KEYS
    ) -> SqliteStorage:
        """Opens a ledger file for reading and writing, creating it when missing.

        Raises LedgerUnavailableError when another process has it, or it is not a ledger this program can use.
        """
        prepare_file(path)
        async with AsyncExitStack() as opened:
            lock = FileLock(path)
            opened.callback(lock.release)
            writer = Writer(path, busy_timeout_s, keys)
            await writer.open()
            opened.push_async_callback(writer.close)
            reader = await open_reader(path)
            opened.pop_all()
        return cls(path, reader, writer, lock)

    @classmethod
    async def open_read_only(cls, path: Path) -> SqliteStorage:
        """Opens an existing ledger file for reading, beside a server that may be writing it; appends are refused."""
        await asyncio.to_thread(check_schema, path)
        return cls(path, await open_reader(path), None, None)

    async def create_run(self, run: Run, draft: EntryDraft, request_fingerprint: str) -> CreatedRun:
        """See Storage."""
        outcome = await self._writing().submit(CreateRun(run, draft, request_fingerprint))
        return cast("CreatedRun", outcome)

    def append(
        self, run_id: str, drafts: Sequence[EntryDraft], change: RunChange | None = None
    ) -> Acknowledgement[tuple[LedgerEntry, ...]]:
        """See Storage."""
        outcome = self._writing().submit(Append(run_id, drafts, change))
        return cast("Acknowledgement[tuple[LedgerEntry, ...]]", outcome)

    async def erase_payloads(self, draft: EntryDraft) -> LedgerEntry:
        """See Storage."""
        outcome = await self._writing().submit(ErasePayloads(draft))
        return cast("tuple[LedgerEntry, ...]", outcome)[0]

    async def delete_run(self, draft: EntryDraft) -> LedgerEntry:
        """See Storage."""
        outcome = await self._writing().submit(DeleteRun(draft))
        return cast("tuple[LedgerEntry, ...]", outcome)[0]

    async def get_run(self, tenant_id: str, run_id: str) -> Run:
        """See Storage."""
        found = await self._fetch(runs.SELECT_ONE, (run_id, tenant_id))
        if not found:
            raise RunNotFoundError(run_id)
        return run_of(RunRow._make(found[0]))

    async def list_runs(self, query: RunQuery) -> RunPage:
        """See Storage."""
        found = await self._fetch(*runs.select_page(query, checked_cursor(query)))
        page = tuple(run_of(RunRow._make(row)) for row in found[: query.page_size])
        token = next_token(query, page[-1].run_id) if len(found) > query.page_size else ""
        return RunPage(page, token)

    async def entries(
        self, tenant_id: str, run_id: str, *, after_sequence: int = 0, limit: int = 1000
    ) -> tuple[LedgerEntry, ...]:
        """See Storage."""
        found = await self._fetch(ledger.SELECT_PAGE, (run_id, tenant_id, after_sequence, limit))
        if not found and not await self._fetch(ledger.SELECT_PAGE, (run_id, tenant_id, 0, 1)):
            raise RunNotFoundError(run_id)
        return tuple(entry_of(EntryRow._make(row)) for row in found)

    @asynccontextmanager
    async def raw_chain(self, tenant_id: str, run_id: str) -> AsyncIterator[RawChain]:
        """See Storage."""
        async with aclosing(self.raw_chains(((tenant_id, run_id),))) as chains:
            async for chain in chains:
                yield chain

    async def raw_chains(self, runs: Sequence[RunOwner]) -> AsyncGenerator[RawChain, None]:
        """See Storage."""
        done = 0
        while done < len(runs):
            self._check_open()
            async with self._snapshots.lend() as snapshot:
                read = partial(_first_pages, runs[done : done + RAW_PAGE_ROWS])
                for (tenant_id, run_id), (run, first) in zip(runs[done:], await at_once(snapshot, read), strict=False):
                    if run is None and not any(row.tenant_id == tenant_id for row in first):
                        raise RunNotFoundError(run_id)
                    yield RawChain(run, _pages(snapshot, stored_bytes(run_id), first))
                    done += 1

    async def forks_of(self, tenant_id: str, run_id: str) -> tuple[str, ...]:
        """See Storage."""
        found = await self._fetch(ledger.SELECT_FORKS, (tenant_id,))
        return tuple(str(fork) for fork, record in found if is_fork_of(record, run_id))

    async def unfinished_runs(self) -> tuple[Run, ...]:
        """See Storage."""
        found = await self._fetch(runs.SELECT_UNFINISHED, ())
        return tuple(run_of(RunRow._make(row)) for row in found)

    async def paused_runs(self, *, after_run_id: str = "", limit: int = 200) -> tuple[Run, ...]:
        """See Storage."""
        found = await self._fetch(runs.SELECT_PAUSED, (after_run_id, limit))
        return tuple(run_of(RunRow._make(row)) for row in found)

    async def payload_keys(self, run_ids: Sequence[str]) -> dict[str, WrappedKey]:
        """See KeyedStorage."""
        named = [run_id for run_id in run_ids if is_text(run_id)]
        found = [row for sql, part in payload_keys.select_by_run(named) for row in await self._fetch(sql, part)]
        return {row[0]: payload_keys.key_of(row) for row in found}

    async def payload_keys_not_under(self, key_id: str, after: str, limit: int) -> tuple[WrappedKey, ...]:
        """See KeyedStorage."""
        return tuple(map(payload_keys.key_of, await self._fetch(payload_keys.SELECT_AFTER, (after, key_id, limit))))

    async def replace_payload_keys(self, keys: Sequence[WrappedKey]) -> None:
        """See KeyedStorage."""
        await self._writing().call(lambda writer: writer.replace_keys(keys))

    async def session_use(self, tenant_id: str, session_id: str, *, up_to_seq: int = MAX_SEQ) -> SessionUse:
        """See Storage."""
        return session_use(await self._fetch(sessions.SELECT_USE, (tenant_id, session_id, up_to_seq)))

    async def ping(self) -> None:
        """See Storage."""
        await self._fetch("SELECT 1 FROM runs LIMIT 1", ())

    async def close(self) -> None:
        """See Storage. Readers close first, so that the writer's last checkpoint empties the log."""
        self._closed = True
        if self._writer is not None:
            await self._writer.drain()
        await self._snapshots.close()
        await self._reader.close()
        if self._writer is not None:
            await self._writer.close()
        if self._lock is not None:
            self._lock.release()


def _first_pages(
    owners: Sequence[RunOwner], connection: sqlite3.Connection
) -> list[tuple[RunRow | None, tuple[EntryRow, ...]]]:
    """Reads the rows of as many runs as make a page of entries, and leaves the snapshot open when the last one has more."""
    found: list[tuple[RunRow | None, tuple[EntryRow, ...]]] = []
    left = RAW_PAGE_ROWS
    connection.execute("BEGIN")
    for tenant_id, run_id in owners:
        run = stored_bytes(run_id)
        row = fetch_raw(connection, RunRow, runs.SELECT_RAW, (run, stored_bytes(tenant_id)))
        first = fetch_raw(connection, EntryRow, ledger.SELECT_FIRST, (run, RAW_PAGE_ROWS))
        found.append((row[0] if row else None, first))
        left -= len(first)
        if left <= 0:
            break
    if len(found[-1][1]) < RAW_PAGE_ROWS:
        connection.execute("COMMIT")
    return found


async def _pages(
    connection: aiosqlite.Connection, run_id: bytes, first: tuple[EntryRow, ...]
) -> AsyncIterator[tuple[EntryRow, ...]]:
    page = first
    while page:
        yield page
        if len(page) < RAW_PAGE_ROWS or not isinstance(page[-1].sequence, int | float):
            return
        page = await at_once(connection, partial(_next_page, run_id, page[-1].sequence))


def _next_page(run_id: bytes, after: float, connection: sqlite3.Connection) -> tuple[EntryRow, ...]:
    return fetch_raw(connection, EntryRow, ledger.SELECT_AFTER, (run_id, after, RAW_PAGE_ROWS))
