"""The part of the SQLite store that keeps the Merkle log."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.errors import EntryNotFoundError, LedgerUnavailableError
from meshflow_grpc.domain.stored_row import LogRow
from meshflow_grpc.ledger.merkle_nodes import frontier_nodes
from meshflow_grpc.ports.log import RawLog
from meshflow_grpc.storage.integration import missing_of, resumed, state_of
from meshflow_grpc.storage.sqlite import log
from meshflow_grpc.storage.sqlite.errors import translated
from meshflow_grpc.storage.sqlite.reading import Snapshots, at_once, fetch_lenient, fetch_raw

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from pathlib import Path

    import aiosqlite

    from meshflow_grpc.ports.log import LogState, NodeKey, StoredHead
    from meshflow_grpc.storage.sqlite.writer import Writer

_PAGE_ROWS = 500


class SqliteLogStore:
    """LogStore on one SQLite file; see ``ports.log.LogStore`` for what it promises."""

    def __init__(self, path: Path, reader: aiosqlite.Connection, writer: Writer | None) -> None:
        self._snapshots = Snapshots(path)
        self._reader = reader
        self._writer = writer
        self._closed = False

    async def log_state(self) -> LogState:
        """See LogStore."""
        if self._writer is not None:
            return await self._writer.call(lambda writer: writer.log_state())
        (size,) = (await self._fetch(log.SELECT_SIZE, ()))[0]
        (newest,) = (await self._fetch(log.SELECT_NEWEST_SEQ, ()))[0]
        return state_of(resumed(size, await self.merkle_nodes(frontier_nodes(size))), newest)

    def pending_entries(self) -> int:
        """See LogStore."""
        return self._writing().unintegrated()

    async def integrate(self, limit: int) -> LogState:
        """See LogStore."""
        return await self._writing().call(lambda writer: writer.integrate(limit))

    async def merkle_nodes(self, keys: Iterable[NodeKey]) -> Mapping[NodeKey, bytes]:
        """See LogStore."""
        self._check_open()
        with translated():
            return await _nodes(self._reader, keys)

    async def newest_head(self) -> StoredHead | None:
        """See LogStore."""
        found = await self._fetch(log.SELECT_NEWEST_HEAD, ())
        return log.head_of(found[0]) if found else None

    async def head_of_size(self, size: int) -> StoredHead | None:
        """See LogStore."""
        found = await self._fetch(log.SELECT_HEAD_OF_SIZE, (size,))
        return log.head_of(found[0]) if found else None

    async def add_head(self, head: StoredHead) -> None:
        """See LogStore."""
        await self._writing().call(lambda writer: writer.add_head(head))

    async def seq_of(self, tenant_id: str, run_id: str, sequence: int) -> int:
        """See LogStore."""
        found = await self._fetch(log.SELECT_SEQ, (run_id, sequence, tenant_id))
        if not found:
            raise EntryNotFoundError(f"entry {sequence} of run {run_id!r} was not found", metadata={"run_id": run_id})
        return int(found[0][0])

    async def has_entry(self, tenant_id: str, seq: int) -> bool:
        """See LogStore."""
        return bool(await self._fetch(log.SELECT_OWNED, (seq, tenant_id)))

    async def missing_seqs(self, first: int, last: int, limit: int) -> tuple[int, ...]:
        """See LogStore."""
        found = [row[0] for row in await self._fetch(log.SELECT_SEQS, (first, last))]
        tombstones = [record for (record,) in await self._fetch(log.SELECT_TOMBSTONES, ())]
        return missing_of(first, last, found, tombstones, limit)

    @asynccontextmanager
    async def raw_log(self) -> AsyncIterator[RawLog]:
        """See LogStore."""
        self._check_open()
        async with self._snapshots.begin() as snapshot:
            with translated():
                runs_ = await at_once(snapshot, _runs)
                heads = tuple(log.head_of(tuple(row)) for row in await snapshot.execute_fetchall(log.SELECT_HEADS))
                ((size,),) = await snapshot.execute_fetchall(log.SELECT_SIZE)
                ((subtrees,),) = await snapshot.execute_fetchall(log.SELECT_SUBTREES)
            yield RawLog(size, subtrees, tuple(runs_), heads, _log_pages(snapshot), partial(_nodes, snapshot))

    def _writing(self) -> Writer:
        if self._writer is None:
            raise LedgerUnavailableError("the ledger was opened for reading only")
        return self._writer

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerUnavailableError("the ledger is closed")

    async def _fetch(self, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        self._check_open()
        with translated():
            return cast("list[tuple[Any, ...]]", await self._reader.execute_fetchall(sql, parameters))


def _runs(connection: sqlite3.Connection) -> list[tuple[object, object]]:
    return [
        (tenant_id, run_id)
        for sql in (log.SELECT_RUNS, log.SELECT_RUNS_OF_ENTRIES)
        for tenant_id, run_id in fetch_lenient(connection, sql)
    ]


async def _nodes(connection: aiosqlite.Connection, keys: Iterable[NodeKey]) -> dict[NodeKey, bytes]:
    return {
        (level, idx): value
        for sql, parameters in log.select_nodes(keys)
        for level, idx, value in await connection.execute_fetchall(sql, parameters)
    }


def _entries_after(seq: int, connection: sqlite3.Connection) -> tuple[LogRow, ...]:
    return fetch_raw(connection, LogRow, log.SELECT_ENTRIES_BY_SEQ, (seq, _PAGE_ROWS))


async def _log_pages(connection: aiosqlite.Connection) -> AsyncIterator[tuple[LogRow, ...]]:
    last = -(2**63)
    while True:
        page = await at_once(connection, partial(_entries_after, last))
        if page:
            yield page
        if len(page) < _PAGE_ROWS:
            return
        last = cast("int", page[-1].seq)
