"""Brings a database file to the current schema, and refuses files that are not ours or are newer than this program."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LedgerUnavailableError

if TYPE_CHECKING:
    import sqlite3

APPLICATION_ID = 0x4D46_4C47  # "MFLG", in the file's header (SQLite file format, offset 68)


def migrations() -> list[tuple[int, str]]:
    """Returns the numbered migrations in order: version and SQL."""
    folder = resources.files("meshflow_grpc.storage.sqlite.migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(int(file.name[:4]), file.read_text(encoding="utf-8")) for file in files]


def migrate(connection: sqlite3.Connection) -> None:
    """Applies the missing migrations, each in its own transaction; raises LedgerUnavailableError for a file that is not ours."""
    version = check_version(connection)
    for number, sql in migrations():
        if number > version:
            connection.executescript(
                f"BEGIN EXCLUSIVE; {sql}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
            )


def check_version(connection: sqlite3.Connection) -> int:
    """Returns the schema version, 0 for an empty file; raises LedgerUnavailableError for a file this program must not touch."""
    application_id, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    newest = migrations()[-1][0]
    if application_id == APPLICATION_ID:
        if version > newest:
            raise LedgerUnavailableError(
                f"the ledger file has schema version {version}, newer than this program's {newest}; upgrade meshflow-grpc"
            )
        return version
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application_id or version or tables:
        raise LedgerUnavailableError(
            "the file is a database of another program, not a meshflow ledger; name another file"
        )
    return 0


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
