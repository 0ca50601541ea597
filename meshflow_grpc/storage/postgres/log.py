"""SQL of ``merkle_nodes`` and ``checkpoints``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from meshflow_grpc.domain.errors import LogInconsistentError
from meshflow_grpc.domain.stored_row import LogRow
from meshflow_grpc.ports.log import StoredHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshflow_grpc.ledger.merkle_nodes import MerkleNode
    from meshflow_grpc.ports.log import NodeKey

SELECT_SIZE = "SELECT coalesce(max(idx) + 1, 0) FROM merkle_nodes WHERE level = 0"
SELECT_SUBTREES = "SELECT count(*) FROM merkle_nodes"
SELECT_NEWEST_SEQ = "SELECT coalesce(max(seq), 0) FROM ledger_entries"
SELECT_RECORDS = "SELECT seq, record FROM ledger_entries WHERE seq > $1 ORDER BY seq LIMIT $2"
SELECT_HEADS = "SELECT size, root, note, time FROM checkpoints ORDER BY number"
SELECT_NEWEST_HEAD = "SELECT size, root, note, time FROM checkpoints ORDER BY number DESC LIMIT 1"
SELECT_HEAD_OF_SIZE = "SELECT size, root, note, time FROM checkpoints WHERE size = $1 ORDER BY number DESC LIMIT 1"
# A head that another server has overtaken meanwhile is not added: heads never shrink.
INSERT_HEAD = (
    "INSERT INTO checkpoints (size, root, note, time) SELECT $1::bigint, $2::bytea, $3, $4 "
    "WHERE NOT EXISTS (SELECT 1 FROM checkpoints WHERE size > $1)"
)
LOCK_LOG = "SELECT pg_advisory_xact_lock(" + str(0x4D46_4C47_0003) + ")"
SELECT_SEQ = "SELECT seq FROM ledger_entries WHERE run_id = $1 AND sequence = $2 AND tenant_id = $3"
SELECT_OWNED = "SELECT 1 FROM ledger_entries WHERE seq = $1 AND tenant_id = $2"
SELECT_SEQS = "SELECT seq FROM ledger_entries WHERE seq BETWEEN $1 AND $2"
SELECT_TOMBSTONES = "SELECT record FROM ledger_entries WHERE kind = 'run_deleted' ORDER BY seq"
SELECT_PAGE = f"SELECT {', '.join(LogRow._fields)} FROM ledger_entries WHERE seq > $1 ORDER BY seq LIMIT $2"  # noqa: S608
# The row of a run says whose it is; of runs without a row the entries do.
SELECT_RUNS = "SELECT tenant_id, run_id FROM runs ORDER BY run_id DESC"
SELECT_RUNS_OF_ENTRIES = (
    "SELECT min(tenant_id), run_id FROM ledger_entries e "
    "WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_id = e.run_id) GROUP BY run_id"
)

_INSERT = "INSERT INTO merkle_nodes (level, idx, hash) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])"
_SELECT_NODES = (
    "SELECT n.level, n.idx, n.hash FROM merkle_nodes n "
    "JOIN unnest($1::bigint[], $2::bigint[]) AS k(level, idx) ON n.level = k.level AND n.idx = k.idx"
)


async def insert_nodes(connection: Any, nodes: Sequence[MerkleNode]) -> None:
    """Inserts subtrees in one statement; raises LogInconsistentError when one is stored already."""
    try:
        await connection.execute(_INSERT, *map(list, zip(*nodes, strict=True)))
    except asyncpg.UniqueViolationError as error:
        raise LogInconsistentError(
            "the log is damaged: a subtree beyond its end is stored already; leaves were removed"
        ) from error


async def select_nodes(connection: Any, keys: Iterable[NodeKey]) -> dict[NodeKey, bytes]:
    """Returns the hashes of subtrees by key."""
    wanted = list(keys)
    found = await connection.fetch(_SELECT_NODES, [level for level, _ in wanted], [idx for _, idx in wanted])
    return {(level, idx): value for level, idx, value in found}


def head_of(row: Any) -> StoredHead:
    """Returns the head of a row, which tampering may have filled with nothing."""
    size, root, note, time = row
    return StoredHead(-1 if size is None else size, root or b"", note or "", time or "")
