"""The PostgreSQL store. Several servers may write one ledger; whose a run is, its row says."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.errors import LedgerUnavailableError, RunNotFoundError
from meshflow_grpc.domain.stored_row import EntryRow
from meshflow_grpc.domain.usage import MAX_SEQ
from meshflow_grpc.ledger.payload_cipher import NO_KEYS, WrappedKey
from meshflow_grpc.ports.storage import CreatedRun, RawChain, RunPage
from meshflow_grpc.storage.batch import Append, CreateRun, DeleteRun, ErasePayloads
from meshflow_grpc.storage.paging import checked_cursor, next_token
from meshflow_grpc.storage.postgres import ledger, payload_keys, runs, sessions
from meshflow_grpc.storage.postgres.connection import PoolOptions, open_readers, reading
from meshflow_grpc.storage.postgres.errors import translated
from meshflow_grpc.storage.postgres.leases import PostgresLeases
from meshflow_grpc.storage.postgres.migrate import check_version, migrations
from meshflow_grpc.storage.postgres.webhooks import PostgresWebhooks
from meshflow_grpc.storage.postgres.writer import Writer
from meshflow_grpc.storage.rows import entry_of, is_fork_of, run_of
from meshflow_grpc.storage.session_use import session_use

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.domain.usage import SessionUse
    from meshflow_grpc.ledger.payload_cipher import PayloadKeys
    from meshflow_grpc.ports.acknowledgement import Acknowledgement
    from meshflow_grpc.ports.storage import RunChange, RunOwner, RunQuery

RAW_PAGE_ROWS = 500
_BEFORE_ALL = -(2**63)


class PostgresStorage(PostgresWebhooks):
    """Storage in a PostgreSQL database; see ``ports.storage.Storage`` for what it promises."""

    @classmethod
    async def open(
        cls,
        url: str,
        options: PoolOptions = PoolOptions(),  # noqa: B008 - frozen
        keys: PayloadKeys = NO_KEYS,
    ) -> PostgresStorage:
        """Opens a ledger for reading and writing, creating its tables when they are missing.

        Raises LedgerUnavailableError when the database cannot be used, or another process is about ``options.only_run``.
        """
        async with AsyncExitStack() as opened:
            writer = Writer(url, options, keys)
            await writer.open()
            opened.push_async_callback(writer.close)
            readers = await open_readers(url, options)
            opened.pop_all()
        return cls(readers, writer)

    @classmethod
    async def open_read_only(cls, url: str, options: PoolOptions = PoolOptions()) -> PostgresStorage:  # noqa: B008
        """Opens an existing ledger for reading, beside a server that may be writing it; appends are refused."""
        readers = await open_readers(url, options)
        with translated():
            if await check_version(readers) < migrations()[-1][0]:
                await readers.close()
                raise LedgerUnavailableError(
                    "the database holds no ledger, or one with an older schema; start the server once"
                )
        return cls(readers, None)

    def leases(self, ttl_s: float) -> PostgresLeases:
        """The leases of a server that writes this ledger; from the first renewal on its new runs are its own."""
        writer = self._writing()
        return PostgresLeases(writer.url, writer.options, writer.fence, ttl_s)

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
        found = await self._fetch(runs.SELECT_ONE, run_id, tenant_id)
        if not found:
            raise RunNotFoundError(run_id)
        return run_of(runs.row_of(found[0]))

    async def list_runs(self, query: RunQuery) -> RunPage:
        """See Storage."""
        sql, parameters = runs.select_page(query, checked_cursor(query))
        found = await self._fetch(sql, *parameters)
        page = tuple(run_of(runs.row_of(row)) for row in found[: query.page_size])
        token = next_token(query, page[-1].run_id) if len(found) > query.page_size else ""
        return RunPage(page, token)

    async def entries(
        self, tenant_id: str, run_id: str, *, after_sequence: int = 0, limit: int = 1000
    ) -> tuple[LedgerEntry, ...]:
        """See Storage."""
        found = await self._fetch(ledger.SELECT_PAGE, run_id, tenant_id, after_sequence, max(limit, 0))
        if not found and not await self._fetch(ledger.SELECT_PAGE, run_id, tenant_id, 0, 1):
            raise RunNotFoundError(run_id)
        return tuple(entry_of(EntryRow(*row)) for row in found)

    @asynccontextmanager
    async def raw_chain(self, tenant_id: str, run_id: str) -> AsyncIterator[RawChain]:
        """See Storage."""
        self._check_open()
        async with reading(self._readers) as connection:
            snapshot = connection.transaction(isolation="repeatable_read", readonly=True)
            with translated():
                await snapshot.start()
                found = await connection.fetchrow(runs.SELECT_ONE, run_id, tenant_id)
                first = await _raw_page(connection, run_id, _BEFORE_ALL)
            try:
                if found is None and not any(row.tenant_id == tenant_id for row in first):
                    raise RunNotFoundError(run_id)
                yield RawChain(None if found is None else runs.row_of(found), _pages(connection, run_id, first))
            finally:
                with translated():
                    await snapshot.rollback()

    async def raw_chains(self, runs: Sequence[RunOwner]) -> AsyncGenerator[RawChain, None]:
        """See Storage."""
        for tenant_id, run_id in runs:
            async with self.raw_chain(tenant_id, run_id) as chain:
                yield chain

    async def forks_of(self, tenant_id: str, run_id: str) -> tuple[str, ...]:
        """See Storage."""
        found = await self._fetch(ledger.SELECT_FORKS, tenant_id)
        return tuple(str(fork) for fork, record in found if is_fork_of(record, run_id))

    async def unfinished_runs(self) -> tuple[Run, ...]:
        """See Storage."""
        return tuple(run_of(runs.row_of(row)) for row in await self._fetch(runs.SELECT_UNFINISHED))

    async def paused_runs(self, *, after_run_id: str = "", limit: int = 200) -> tuple[Run, ...]:
        """See Storage."""
        found = await self._fetch(runs.SELECT_PAUSED, after_run_id, limit)
        return tuple(run_of(runs.row_of(row)) for row in found)

    async def payload_keys(self, run_ids: Sequence[str]) -> dict[str, WrappedKey]:
        """See KeyedStorage."""
        found = await self._fetch(payload_keys.SELECT_BY_RUN, list(run_ids))
        return {row[0]: WrappedKey(*row) for row in found}

    async def payload_keys_not_under(self, key_id: str, after: str, limit: int) -> tuple[WrappedKey, ...]:
        """See KeyedStorage."""
        return tuple(WrappedKey(*row) for row in await self._fetch(payload_keys.SELECT_AFTER, after, key_id, limit))

    async def replace_payload_keys(self, keys: Sequence[WrappedKey]) -> None:
        """See KeyedStorage."""
        await self._writing().call(lambda writer: writer.replace_keys(keys))

    async def session_use(self, tenant_id: str, session_id: str, *, up_to_seq: int = MAX_SEQ) -> SessionUse:
        """See Storage."""
        return session_use(await self._fetch(sessions.SELECT_USE, tenant_id, session_id, up_to_seq))

    async def ping(self) -> None:
        """See Storage."""
        await self._fetch("SELECT 1 FROM runs LIMIT 1")

    async def close(self) -> None:
        """See Storage."""
        self._closed = True
        if self._writer is not None:
            await self._writer.close()
        if not self._readers.is_closing():
            await self._readers.close()


async def _raw_page(connection: Any, run_id: str, after: int) -> tuple[EntryRow, ...]:
    return tuple(EntryRow(*row) for row in await connection.fetch(ledger.SELECT_RAW, run_id, after, RAW_PAGE_ROWS))


async def _pages(connection: Any, run_id: str, first: tuple[EntryRow, ...]) -> AsyncIterator[tuple[EntryRow, ...]]:
    page = first
    while page:
        yield page
        if len(page) < RAW_PAGE_ROWS:
            return
        with translated():
            page = await _raw_page(connection, run_id, int(cast("int", page[-1].sequence)))
