"""Brings a database to the current schema under an advisory lock, and refuses one that is newer than this program."""

from __future__ import annotations

from importlib import resources
from typing import Any

from meshflow_grpc.domain.errors import LedgerUnavailableError

MIGRATION_LOCK = 0x4D46_4C47_0002
_VERSIONS = """CREATE TABLE IF NOT EXISTS meshflow_migrations (
    version integer PRIMARY KEY, applied_time timestamptz NOT NULL DEFAULT now())"""


def migrations() -> list[tuple[int, str]]:
    """Returns the numbered migrations in order: version and SQL."""
    folder = resources.files("meshflow_grpc.storage.postgres.migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(int(file.name[:4]), file.read_text(encoding="utf-8")) for file in files]


async def migrate(connection: Any) -> None:
    """Applies the missing migrations, each in its own transaction, while no other process does."""
    await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
    try:
        await connection.execute(_VERSIONS)
        version = await check_version(connection)
        for number, sql in migrations():
            if number > version:
                async with connection.transaction():
                    await connection.execute(sql)
                    await connection.execute("INSERT INTO meshflow_migrations (version) VALUES ($1)", number)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", MIGRATION_LOCK)


async def check_version(connection: Any) -> int:
    """Returns the schema version, 0 for an empty database; raises LedgerUnavailableError for a newer one."""
    if await connection.fetchval("SELECT to_regclass('meshflow_migrations')") is None:
        return 0
    version = int(await connection.fetchval("SELECT coalesce(max(version), 0) FROM meshflow_migrations"))
    newest = migrations()[-1][0]
    if version > newest:
        raise LedgerUnavailableError(
            f"the ledger has schema version {version}, newer than this program's {newest}; upgrade meshflow-grpc"
        )
    return version
