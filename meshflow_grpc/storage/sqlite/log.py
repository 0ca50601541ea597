"""SQL of ``merkle_nodes`` and ``checkpoints``."""

from __future__ import annotations

import sqlite3
from itertools import chain
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.errors import LogInconsistentError
from meshflow_grpc.domain.stored_row import LogRow
from meshflow_grpc.ports.log import StoredHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meshflow_grpc.ledger.merkle_nodes import MerkleNode
    from meshflow_grpc.ports.log import NodeKey

_SIZES = (1024, 256, 64, 16, 4, 1)
_INSERT = {size: f"INSERT INTO merkle_nodes VALUES {', '.join(['(?, ?, ?)'] * size)}" for size in _SIZES}  # noqa: S608
_KEYS_AT_ONCE = 500
# The cross join makes each key one search of the primary key: the planner would otherwise scan all subtrees.
_SELECT_NODES = (
    "SELECT level, idx, hash FROM (VALUES {}) AS k CROSS JOIN merkle_nodes ON level = k.column1 AND idx = k.column2"
)

SELECT_SIZE = "SELECT coalesce(max(idx) + 1, 0) FROM merkle_nodes WHERE level = 0"
SELECT_SUBTREES = "SELECT count(*) FROM merkle_nodes"
SELECT_NEWEST_SEQ = "SELECT coalesce(max(seq), 0) FROM ledger_entries"
SELECT_RECORDS = "SELECT seq, record FROM ledger_entries WHERE seq > ? ORDER BY seq LIMIT ?"
# Texts as bytes: one that is not UTF-8 must not keep the others from being read.
_HEAD = (
    "SELECT size, root, CASE typeof(note) WHEN 'text' THEN CAST(note AS BLOB) END, CAST(time AS BLOB) FROM checkpoints"
)
SELECT_HEADS = f"{_HEAD} ORDER BY number"
SELECT_NEWEST_HEAD = f"{_HEAD} ORDER BY number DESC LIMIT 1"
SELECT_HEAD_OF_SIZE = f"{_HEAD} WHERE size = ? ORDER BY number DESC LIMIT 1"
INSERT_HEAD = "INSERT INTO checkpoints (size, root, note, time) VALUES (?, ?, ?, ?)"
SELECT_SEQ = "SELECT seq FROM ledger_entries WHERE run_id = ? AND sequence = ? AND tenant_id = ?"
SELECT_OWNED = "SELECT 1 FROM ledger_entries WHERE seq = ? AND tenant_id = ?"
SELECT_SEQS = "SELECT seq FROM ledger_entries WHERE seq BETWEEN ? AND ? ORDER BY seq"
SELECT_TOMBSTONES = "SELECT record FROM ledger_entries WHERE kind = 'run_deleted' ORDER BY seq"
SELECT_ENTRIES_BY_SEQ = f"SELECT {', '.join(LogRow._fields)} FROM ledger_entries WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
# The row of a run says whose it is; of runs without a row the entries do.
SELECT_RUNS = "SELECT tenant_id, run_id FROM runs ORDER BY run_id DESC"
SELECT_RUNS_OF_ENTRIES = (
    "SELECT tenant_id, run_id FROM ledger_entries WHERE run_id NOT IN (SELECT run_id FROM runs) GROUP BY run_id"
)


def insert_nodes(connection: sqlite3.Connection, nodes: Sequence[MerkleNode]) -> None:
    """Inserts subtrees in as few statements as their number allows; raises LogInconsistentError when one is stored already."""
    start = 0
    try:
        for size in _SIZES:
            while len(nodes) - start >= size:
                connection.execute(_INSERT[size], list(chain.from_iterable(nodes[start : start + size])))
                start += size
    except sqlite3.IntegrityError as error:
        raise LogInconsistentError(
            "the log is damaged: a subtree beyond its end is stored already; leaves were removed"
        ) from error


def select_nodes(keys: Iterable[NodeKey]) -> Iterator[tuple[str, list[int]]]:
    """Yields the queries that read subtrees by key, one for a proof: the answer's columns are level, idx and hash."""
    wanted = list(keys)
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        part = wanted[start : start + _KEYS_AT_ONCE]
        yield _SELECT_NODES.format(", ".join(["(?, ?)"] * len(part))), list(chain.from_iterable(part))


def head_of(row: tuple[Any, ...]) -> StoredHead:
    """Returns the head of a row, which tampering may have filled with anything."""
    size, root, note, time = row
    return StoredHead(
        size if isinstance(size, int) else -1,
        root if isinstance(root, bytes) else b"",
        note.decode("utf-8", "surrogateescape") if isinstance(note, bytes) else "",
        time.decode("utf-8", "backslashreplace") if isinstance(time, bytes) else "",
    )
