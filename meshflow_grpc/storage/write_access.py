"""Whether a server could write the ledger, found out without changing it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.factory import IN_MEMORY, file_path, is_postgres

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_S = 10.0
_PAGE = bytes(4096)
_COMPANIONS = ("", ".lock", "-wal", "-shm")
_READ_ONLY = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'"
# Before its first migration a ledger has no tables, and the role must make them.
_MAY_WRITE = """
SELECT coalesce(
    has_table_privilege(to_regclass('ledger_entries'), 'INSERT') AND has_table_privilege(to_regclass('runs'), 'INSERT')
    AND has_table_privilege(to_regclass('runs'), 'UPDATE'),
    has_schema_privilege(current_schema(), 'CREATE'), false)
"""


async def check_write_access(url: str) -> str:
    """Returns where the ledger is written; raises LedgerUnavailableError saying what cannot be."""
    if url == IN_MEMORY:
        return "in memory, gone when the server ends"
    if is_postgres(url):
        await _check_database(url)
        return "the database takes writes"
    path = file_path(url)
    await asyncio.to_thread(_check_file, path)
    return f"{path if path.exists() else path.parent} can be written"


def _check_file(path: Path) -> None:
    """The file and those SQLite and the server keep beside it, and the folder, in which they come and go."""
    for name in _COMPANIONS:
        each = path.with_name(path.name + name)
        if each.exists():
            try:
                os.close(os.open(each, os.O_RDWR | os.O_CLOEXEC))
            except OSError as error:
                raise LedgerUnavailableError(f"{each} cannot be written: {error.strerror}") from error
    folder = path.parent.absolute()
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(_PAGE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise LedgerUnavailableError(f"the folder {folder} cannot be written: {error.strerror}") from error


async def _check_database(url: str) -> None:
    import asyncpg

    from meshflow_grpc.storage.postgres.errors import translated

    with translated():
        connection = await asyncpg.connect(url, timeout=_TIMEOUT_S)
        try:
            if await connection.fetchval(_READ_ONLY):
                raise LedgerUnavailableError("the database is read-only; name the primary")
            if not await connection.fetchval(_MAY_WRITE):
                raise LedgerUnavailableError("the database role may not write the ledger's tables")
        finally:
            await connection.close()
