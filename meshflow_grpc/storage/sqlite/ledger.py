"""SQL of ``ledger_entries``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.stored_row import EntryRow
from meshflow_grpc.storage.rows import entry_row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry

COLUMNS = ", ".join(EntryRow._fields)

# One statement for many rows: the interpreter lock changes hands once a statement, not once a row.
_SIZES = (512, 128, 32, 8, 4, 2, 1)
_ROW = f"({', '.join('?' * len(EntryRow._fields))})"
_INSERT = {size: f"INSERT INTO ledger_entries ({COLUMNS}) VALUES {', '.join([_ROW] * size)}" for size in _SIZES}  # noqa: S608

_ERASE = (
    "UPDATE ledger_entries SET input = NULL, output = NULL, input_salt = NULL, output_salt = NULL WHERE run_id = ? "
    "AND (input IS NOT NULL OR output IS NOT NULL OR input_salt IS NOT NULL OR output_salt IS NOT NULL)"
)

_DELETE = "DELETE FROM ledger_entries WHERE run_id = ? AND kind <> 'run_deleted'"
SELECT_SEQS_OF = "SELECT seq FROM ledger_entries WHERE run_id = ?"
SELECT_FIRST_RECORD = "SELECT record FROM ledger_entries WHERE run_id = ? AND sequence = 1"

SELECT_FORKS = (
    "SELECT run_id, record FROM ledger_entries WHERE tenant_id = ? AND sequence = 1 "
    "AND instr(record, CAST('\"forked_from\":{' AS BLOB)) > 0 ORDER BY run_id"
)

SELECT_PAGE = (
    f"SELECT {COLUMNS} FROM ledger_entries "  # noqa: S608
    "WHERE run_id = ? AND tenant_id = ? AND sequence > ? ORDER BY sequence LIMIT ?"
)
SELECT_AFTER = (
    f"SELECT {COLUMNS} FROM ledger_entries "  # noqa: S608
    "WHERE run_id = CAST(? AS TEXT) AND sequence > ? ORDER BY sequence LIMIT ?"
)
SELECT_FIRST = f"SELECT {COLUMNS} FROM ledger_entries WHERE run_id = CAST(? AS TEXT) ORDER BY sequence LIMIT ?"  # noqa: S608


def insert_entries(connection: sqlite3.Connection, entries: Sequence[LedgerEntry]) -> None:
    """Inserts entries in as few statements as their number allows."""
    start = 0
    for size in _SIZES:
        while len(entries) - start >= size:
            values: list[object] = []
            for entry in entries[start : start + size]:
                values += entry_row(entry)
            connection.execute(_INSERT[size], values)
            start += size


def erase_payloads(connection: sqlite3.Connection, run_ids: Sequence[str]) -> None:
    """Removes all payloads and salts of runs."""
    connection.executemany(_ERASE, [(run_id,) for run_id in run_ids])


def delete_entries(connection: sqlite3.Connection, run_ids: Sequence[str]) -> None:
    """Deletes the entries of runs, but for their tombstones."""
    connection.executemany(_DELETE, [(run_id,) for run_id in run_ids])


def seqs_of(connection: sqlite3.Connection, run_id: str) -> list[int]:
    """Returns the seqs of a run's entries."""
    return [seq for (seq,) in connection.execute(SELECT_SEQS_OF, (run_id,))]


def first_record(connection: sqlite3.Connection, run_id: str) -> object:
    """Returns the record of a run's first entry."""
    found = connection.execute(SELECT_FIRST_RECORD, (run_id,)).fetchone()
    return None if found is None else found[0]


def last_seq(connection: sqlite3.Connection) -> int:
    """Returns the highest seq ever given, also when its row is gone."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'ledger_entries'").fetchone()
    return 0 if row is None else int(row[0])


def recorded(connection: sqlite3.Connection, drafts: Sequence[EntryDraft]) -> EntryDraft | None:
    """Returns the first of the drafts whose (run_id, step_id, attempt, kind) is in the ledger, or occurs twice among them."""
    sql = "SELECT 1 FROM ledger_entries WHERE run_id = ? AND step_id = ? AND attempt = ? AND kind = ?"
    seen = set()
    for draft in drafts:
        key = (draft.run_id, draft.step_id, draft.attempt, draft.kind.value)
        if key in seen or connection.execute(sql, key).fetchone():
            return draft
        seen.add(key)
    return None
