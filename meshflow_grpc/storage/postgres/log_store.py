"""The part of the PostgreSQL store that keeps the Merkle log."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.errors import EntryNotFoundError, LedgerUnavailableError
from meshflow_grpc.domain.stored_row import LogRow
from meshflow_grpc.ledger.merkle_nodes import frontier_nodes
from meshflow_grpc.ports.log import RawLog
from meshflow_grpc.storage.integration import missing_of, resumed, state_of
from meshflow_grpc.storage.postgres import log
from meshflow_grpc.storage.postgres.connection import reading
from meshflow_grpc.storage.postgres.errors import translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    import asyncpg

    from meshflow_grpc.ports.log import LogState, NodeKey, StoredHead
    from meshflow_grpc.storage.postgres.writer import Writer

_PAGE_ROWS = 500


class PostgresLogStore:
    """LogStore in a PostgreSQL database; see ``ports.log.LogStore`` for what it promises."""

    def __init__(self, readers: Any, writer: Writer | None) -> None:
        self._readers = readers
        self._writer = writer
        self._closed = False

    async def log_state(self) -> LogState:
        """See LogStore."""
        if self._writer is not None:
            return await self._writer.call(lambda batches: batches.log_state())
        (size,) = (await self._fetch(log.SELECT_SIZE))[0]
        (newest,) = (await self._fetch(log.SELECT_NEWEST_SEQ))[0]
        return state_of(resumed(size, await self.merkle_nodes(frontier_nodes(size))), newest)

    def pending_entries(self) -> int:
        """See LogStore."""
        return self._writing().unintegrated()

    async def integrate(self, limit: int) -> LogState:
        """See LogStore."""
        return await self._writing().call(lambda batches: batches.integrate(limit))

    async def merkle_nodes(self, keys: Iterable[NodeKey]) -> Mapping[NodeKey, bytes]:
        """See LogStore."""
        self._check_open()
        async with reading(self._readers) as connection:
            with translated():
                return await log.select_nodes(connection, keys)

    async def newest_head(self) -> StoredHead | None:
        """See LogStore."""
        found = await self._fetch(log.SELECT_NEWEST_HEAD)
        return log.head_of(found[0]) if found else None

    async def head_of_size(self, size: int) -> StoredHead | None:
        """See LogStore."""
        found = await self._fetch(log.SELECT_HEAD_OF_SIZE, size)
        return log.head_of(found[0]) if found else None

    async def add_head(self, head: StoredHead) -> None:
        """See LogStore."""
        await self._writing().call(lambda batches: batches.add_head(head))

    async def seq_of(self, tenant_id: str, run_id: str, sequence: int) -> int:
        """See LogStore."""
        found = await self._fetch(log.SELECT_SEQ, run_id, sequence, tenant_id)
        if not found:
            raise EntryNotFoundError(f"entry {sequence} of run {run_id!r} was not found", metadata={"run_id": run_id})
        return int(found[0][0])

    async def has_entry(self, tenant_id: str, seq: int) -> bool:
        """See LogStore."""
        return bool(await self._fetch(log.SELECT_OWNED, seq, tenant_id))

    async def missing_seqs(self, first: int, last: int, limit: int) -> tuple[int, ...]:
        """See LogStore."""
        found = [row[0] for row in await self._fetch(log.SELECT_SEQS, first, last)]
        tombstones = [record for (record,) in await self._fetch(log.SELECT_TOMBSTONES)]
        return missing_of(first, last, found, tombstones, limit)

    @asynccontextmanager
    async def raw_log(self) -> AsyncIterator[RawLog]:
        """See LogStore."""
        self._check_open()
        async with reading(self._readers) as connection:
            snapshot = connection.transaction(isolation="repeatable_read", readonly=True)
            with translated():
                await snapshot.start()
                found = await connection.fetch(log.SELECT_RUNS)
                found += await connection.fetch(log.SELECT_RUNS_OF_ENTRIES)
                heads = tuple(map(log.head_of, await connection.fetch(log.SELECT_HEADS)))
                size = int(await connection.fetchval(log.SELECT_SIZE))
                subtrees = int(await connection.fetchval(log.SELECT_SUBTREES))
            runs = tuple((tenant_id, run_id) for tenant_id, run_id in found)
            try:
                yield RawLog(size, subtrees, runs, heads, _pages(connection), partial(log.select_nodes, connection))
            finally:
                with translated():
                    await snapshot.rollback()

    def _writing(self) -> Writer:
        if self._writer is None:
            raise LedgerUnavailableError("the ledger was opened for reading only")
        return self._writer

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerUnavailableError("the ledger is closed")

    async def _fetch(self, sql: str, *parameters: object) -> list[asyncpg.Record]:
        self._check_open()
        async with reading(self._readers) as connection:
            with translated():
                return cast("list[asyncpg.Record]", await connection.fetch(sql, *parameters))


async def _pages(connection: Any) -> AsyncIterator[tuple[LogRow, ...]]:
    last = -(2**63)
    while True:
        with translated():
            page = tuple(LogRow(*row) for row in await connection.fetch(log.SELECT_PAGE, last, _PAGE_ROWS))
        if page:
            yield page
        if len(page) < _PAGE_ROWS:
            return
        last = cast("int", page[-1].seq)
