"""Readers of a ledger file, which take whatever tampering left in it."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, TypeVar

import aiosqlite

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.stored_row import EntryRow, LogRow, RunRow
from meshflow_grpc.storage.sqlite.connection import READER_PRAGMAS, reader_uri
from meshflow_grpc.storage.sqlite.errors import translated
from meshflow_grpc.storage.sqlite.migrate import check_version, migrations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

Row = TypeVar("Row", EntryRow, LogRow, RunRow)
Result = TypeVar("Result")


def check_schema(path: Path) -> None:
    """Raises LedgerUnavailableError unless the file is a ledger with the current schema."""
    if not path.is_file():
        raise LedgerUnavailableError(f"there is no ledger file {path}")
    with translated(), closing(sqlite3.connect(reader_uri(path), uri=True)) as connection:
        if check_version(connection) < migrations()[-1][0]:
            raise LedgerUnavailableError(
                "the ledger file has an older schema; start the server on it once, which brings it up to date"
            )


async def open_reader(path: Path) -> aiosqlite.Connection:
    """Opens a connection that can neither write nor checkpoint; raises LedgerUnavailableError."""
    with translated():
        opening = aiosqlite.connect(reader_uri(path), uri=True, isolation_level=None)
        opening._thread.daemon = True  # a process that fails before close() must still end
        connection = await opening
        try:
            await connection.executescript(READER_PRAGMAS)
        except sqlite3.Error:
            await connection.close()
            raise
    return connection


class Snapshots:
    """Connections that each read the ledger as it was at one moment. The last one used is kept open: opening costs more than a run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[aiosqlite.Connection] = []
        self._closed = False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[aiosqlite.Connection]:
        """Gives a connection in a transaction that only reads; raises LedgerUnavailableError."""
        async with self.lend() as connection:
            with translated():
                await connection.execute_fetchall("BEGIN")
            yield connection

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[aiosqlite.Connection]:
        """Gives a connection that only reads, and ends the transaction it comes back in; raises LedgerUnavailableError."""
        connection = self._idle.pop() if self._idle else await open_reader(self._path)
        try:
            yield connection
            with translated():
                if connection.in_transaction:
                    await connection.execute_fetchall("COMMIT")
        except BaseException:
            await connection.close()
            raise
        if self._idle or self._closed:
            await connection.close()
        else:
            self._idle.append(connection)

    async def close(self) -> None:
        """Closes the idle connection, and each other one once it has been used. Idempotent."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()


async def at_once(connection: aiosqlite.Connection, read: Callable[[sqlite3.Connection], Result]) -> Result:
    """Reads with several statements in one turn of the connection's thread: waiting for the thread costs more than most of them."""
    execute: Callable[[Callable[[], Result]], Awaitable[Result]] = connection._execute
    with translated():
        return await execute(lambda: read(connection._conn))


def fetch_raw(
    connection: sqlite3.Connection, row_type: type[Row], sql: str, parameters: Sequence[object]
) -> tuple[Row, ...]:
    """Fetches rows whatever is in them, on a connection of the caller's own: text that is not UTF-8 comes with surrogate escapes."""
    return tuple(map(row_type._make, fetch_lenient(connection, sql, parameters)))


def fetch_lenient(
    connection: sqlite3.Connection, sql: str, parameters: Sequence[object] = ()
) -> list[tuple[object, ...]]:
    """The same, as plain rows. Each value keeps its type: a blob is never taken for a text."""
    try:
        return connection.execute(sql, parameters).fetchall()
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
    connection.text_factory = _text
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.text_factory = str


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogateescape")


def is_text(text: str) -> bool:
    """Whether a text that ``fetch_raw`` read is UTF-8, as all that this program writes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def stored_bytes(text: str) -> bytes:
    """Returns the bytes of a text that ``fetch_raw`` read, for ``CAST(? AS TEXT)``: they need not be UTF-8."""
    return text.encode("utf-8", "surrogateescape")
