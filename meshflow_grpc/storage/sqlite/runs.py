"""SQL of ``runs``."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from meshflow_grpc.domain.stored_row import RunRow
from meshflow_grpc.storage.batch import UNCHANGED, RunUpdate, head_of, request_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping, Sequence

    from meshflow_grpc.domain.errors import MeshflowError
    from meshflow_grpc.ports.storage import RunQuery
    from meshflow_grpc.storage.batch import EarlierRequest, Head, RequestKey

COLUMNS = ", ".join(RunRow._fields)
_CHUNK = 256

_INSERT = f"INSERT INTO runs ({COLUMNS}) VALUES "  # noqa: S608
_INSERT_ROW = f"({', '.join('?' * len(RunRow._fields))})"

_KEPT_WHEN_NULL = ("status", "output", "output_salt", "blocked_by", "reason", "reason_salt")
_ALWAYS = len(RunUpdate._fields) - len(_KEPT_WHEN_NULL)
_SIZES = (128, 32, 8, 4, 2, 1)


def _update(columns: Sequence[str]) -> dict[int, str]:
    """Statements that update so many runs each."""
    row = f"({', '.join('?' * len(columns))})"
    assignments = ", ".join(
        f"{name} = coalesce(v.column{place}, runs.{name})" if name in _KEPT_WHEN_NULL else f"{name} = v.column{place}"
        for place, name in enumerate(columns, start=1)
        if name != "run_id"
    )
    return {
        size: f"UPDATE runs SET {assignments} FROM (VALUES {', '.join([row] * size)}) AS v "  # noqa: S608
        "WHERE runs.run_id = v.column1"
        for size in _SIZES
    }


# A step changes totals alone: a statement that does not name the status leaves its indexes alone.
_UPDATE_TOTALS = _update(RunUpdate._fields[:_ALWAYS])
_UPDATE_ALL = _update(RunUpdate._fields)
_ERASE = (
    "UPDATE runs SET output = '', output_salt = NULL, reason = NULL, reason_salt = NULL, session_id = NULL, "
    "request_id = NULL, request_fingerprint = '', labels = '{}', header_salt = ? WHERE run_id = ?"
)

_SELECT_HEADS = f"SELECT {COLUMNS} FROM runs WHERE run_id IN ({{}})"  # noqa: S608
# The keys drive the join: as an IN of pairs SQLite would read every run, since the index of request ids is partial.
_SELECT_REQUESTS = (
    f"SELECT {', '.join(f'r.{name}' for name in RunRow._fields)} FROM (VALUES {{}}) AS v "  # noqa: S608
    "CROSS JOIN runs AS r WHERE r.tenant_id = v.column1 AND r.request_id = v.column2"
)

SELECT_ONE = f"SELECT {COLUMNS} FROM runs WHERE run_id = ? AND tenant_id = ?"  # noqa: S608
SELECT_RAW = f"SELECT {COLUMNS} FROM runs WHERE run_id = CAST(? AS TEXT) AND tenant_id = CAST(? AS TEXT)"  # noqa: S608
SELECT_UNFINISHED = f"SELECT {COLUMNS} FROM runs WHERE status = 'running' ORDER BY run_id"  # noqa: S608

SELECT_PAUSED = f"SELECT {COLUMNS} FROM runs WHERE status = 'paused' AND run_id > ? ORDER BY run_id LIMIT ?"  # noqa: S608


def insert_runs(connection: sqlite3.Connection, rows: Sequence[RunRow]) -> None:
    """Inserts new runs."""
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        connection.execute(_INSERT + ", ".join([_INSERT_ROW] * len(part)), list(chain.from_iterable(part)))


def update_runs(connection: sqlite3.Connection, updates: Collection[RunUpdate]) -> None:
    """Applies updates, one for each run, in as few statements as their number allows."""
    totals: list[object] = []
    more: list[object] = []
    for update in updates:
        if update[_ALWAYS:] == UNCHANGED:
            totals += update[:_ALWAYS]
        else:
            more += update
    _execute(connection, _UPDATE_TOTALS, totals, _ALWAYS)
    _execute(connection, _UPDATE_ALL, more, len(RunUpdate._fields))


def _execute(connection: sqlite3.Connection, statements: Mapping[int, str], values: list[object], columns: int) -> None:
    start = 0
    for size in _SIZES:
        while len(values) - start >= size * columns:
            connection.execute(statements[size], values[start : start + size * columns])
            start += size * columns


def erase_texts(connection: sqlite3.Connection, header_salts: Mapping[str, str]) -> None:
    """Removes what may name a person from runs, whose header has a new salt then."""
    connection.executemany(_ERASE, [(salt, run_id) for run_id, salt in header_salts.items()])


def delete_runs(connection: sqlite3.Connection, run_ids: Sequence[str]) -> None:
    """Deletes the rows of runs."""
    connection.executemany("DELETE FROM runs WHERE run_id = ?", [(run_id,) for run_id in run_ids])


def select_heads(connection: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, Head | MeshflowError]:
    """Returns the heads of the runs that exist."""
    rows = _select_by(connection, _SELECT_HEADS, [(run_id,) for run_id in run_ids], "?")
    return {str(row.run_id): head_of(row) for row in rows}


def select_row(connection: sqlite3.Connection, run_id: str) -> RunRow | None:
    """Returns a run's row."""
    rows = _select_by(connection, _SELECT_HEADS, [(run_id,)], "?")
    return rows[0] if rows else None


def select_requests(connection: sqlite3.Connection, keys: Sequence[RequestKey]) -> dict[RequestKey, EarlierRequest]:
    """Returns fingerprint and run of the (tenant_id, request_id) pairs that were used before."""
    rows = _select_by(connection, _SELECT_REQUESTS, keys, "(?, ?)")
    return {(str(row.tenant_id), str(row.request_id)): request_of(row) for row in rows}


def select_page(query: RunQuery, below_run_id: str) -> tuple[str, list[object]]:
    """Returns SQL and parameters of a page of runs, newest first, one row longer than the page."""
    conditions: list[tuple[str, object]] = [("tenant_id = ?", query.tenant_id)]
    if query.status:
        conditions.append(("status = ?", query.status))
    if query.workflow:
        conditions.append(("workflow = ?", query.workflow))
    if query.session_id:
        conditions.append(("session_id = ?", query.session_id))
    if below_run_id:
        conditions.append(("run_id < ?", below_run_id))
    where = " AND ".join(condition for condition, _ in conditions)
    sql = f"SELECT {COLUMNS} FROM runs WHERE {where} ORDER BY run_id DESC LIMIT ?"  # noqa: S608
    return sql, [*(value for _, value in conditions), query.page_size + 1]


def _select_by(connection: sqlite3.Connection, sql: str, keys: Sequence[tuple[str, ...]], marks: str) -> list[RunRow]:
    rows: list[RunRow] = []
    for start in range(0, len(keys), _CHUNK):
        part = keys[start : start + _CHUNK]
        found = connection.execute(sql.format(", ".join([marks] * len(part))), list(chain.from_iterable(part)))
        rows.extend(map(RunRow._make, found.fetchall()))
    return rows
