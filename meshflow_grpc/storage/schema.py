"""The ledger's schema: how far a store is, and how to bring it up to date."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.factory import IN_MEMORY, file_path, is_postgres, open_storage
from meshflow_grpc.storage.sqlite import migrate as sqlite_migrate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """A store's schema version, 0 before its first migration, and the versions it lacks."""

    version: int
    pending: tuple[int, ...]


async def schema_status(url: str) -> SchemaStatus:
    """Reads the version and changes nothing; raises LedgerUnavailableError for a store that cannot be used."""
    if url == IN_MEMORY:
        return SchemaStatus(sqlite_migrate.migrations()[-1][0], ())
    if is_postgres(url):
        return await _postgres_status(url)
    return await asyncio.to_thread(_sqlite_status, file_path(url))


async def migrate_schema(url: str) -> SchemaStatus:
    """Applies what is pending and returns what there was; raises LedgerUnavailableError, also for a file that a server has open."""
    before = await schema_status(url)
    if before.pending and is_postgres(url):
        await _migrate_postgres(url)
    elif before.pending:
        await (await open_storage(url)).close()
    return before


def _sqlite_status(path: Path) -> SchemaStatus:
    if not path.exists():
        return _status(0, sqlite_migrate.migrations())
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return _status(sqlite_migrate.check_version(connection), sqlite_migrate.migrations())
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise LedgerUnavailableError(f"cannot read {path}: {error}") from error


async def _postgres_status(url: str) -> SchemaStatus:
    import asyncpg

    from meshflow_grpc.storage.postgres.errors import translated
    from meshflow_grpc.storage.postgres.migrate import check_version, migrations

    with translated():
        connection = await asyncpg.connect(url, timeout=_TIMEOUT_S)
        try:
            return _status(await check_version(connection), migrations())
        finally:
            await connection.close()


async def _migrate_postgres(url: str) -> None:
    import asyncpg

    from meshflow_grpc.storage.postgres.errors import translated
    from meshflow_grpc.storage.postgres.migrate import migrate

    with translated():
        connection = await asyncpg.connect(url, timeout=_TIMEOUT_S)
        try:
            await migrate(connection)
        finally:
            await connection.close()


def _status(version: int, migrations: Sequence[tuple[int, str]]) -> SchemaStatus:
    return SchemaStatus(version, tuple(number for number, _ in migrations if number > version))
