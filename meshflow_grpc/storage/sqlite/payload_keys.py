"""SQL of ``payload_keys``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.ledger.payload_cipher import WrappedKey

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

_CHUNK = 256
_INSERT = "INSERT INTO payload_keys (run_id, key_id, wrapped) VALUES (?, ?, ?)"
_REPLACE = "UPDATE payload_keys SET key_id = ?, wrapped = ? WHERE run_id = ?"
_DELETE = "DELETE FROM payload_keys WHERE run_id = ?"

# Texts as bytes: one that is not UTF-8 is a key that does not open.
_SELECT = "SELECT run_id, CAST(key_id AS BLOB), CAST(wrapped AS BLOB) FROM payload_keys"
SELECT_AFTER = f"{_SELECT} WHERE run_id > ? AND key_id != ? ORDER BY run_id LIMIT ?"


def select_by_run(run_ids: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yields SQL and parameters of the keys of runs."""
    for start in range(0, len(run_ids), _CHUNK):
        part = run_ids[start : start + _CHUNK]
        yield f"{_SELECT} WHERE run_id IN ({', '.join('?' * len(part))})", part


def key_of(row: tuple[str, bytes, bytes]) -> WrappedKey:
    """Returns the key of a row."""
    run_id, key_id, wrapped = row
    return WrappedKey(run_id, key_id.decode("utf-8", "replace"), wrapped.decode("utf-8", "replace"))


def select_keys(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, WrappedKey]:
    """Returns the wrapped keys of the runs that have one."""
    found = (row for sql, part in select_by_run(run_ids) for row in connection.execute(sql, part))
    return {row[0]: key_of(row) for row in found}


def insert_keys(connection: sqlite3.Connection, keys: Sequence[WrappedKey]) -> None:
    """Inserts keys."""
    connection.executemany(_INSERT, keys)


def replace_keys(connection: sqlite3.Connection, keys: Sequence[WrappedKey]) -> None:
    """Replaces the keys of runs that still have one."""
    connection.executemany(_REPLACE, [(key.key_id, key.wrapped, key.run_id) for key in keys])


def delete_keys(connection: sqlite3.Connection, run_ids: Sequence[str]) -> None:
    """Deletes the keys of runs."""
    connection.executemany(_DELETE, [(run_id,) for run_id in run_ids])
