"""SQL of ``payload_keys``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.ledger.payload_cipher import WrappedKey

if TYPE_CHECKING:
    from collections.abc import Sequence

_INSERT = "INSERT INTO payload_keys (run_id, key_id, wrapped) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])"
_REPLACE = (
    "UPDATE payload_keys SET key_id = v.key_id, wrapped = v.wrapped "
    "FROM unnest($1::text[], $2::text[], $3::text[]) AS v(run_id, key_id, wrapped) WHERE payload_keys.run_id = v.run_id"
)
_DELETE = "DELETE FROM payload_keys WHERE run_id = ANY($1::text[])"

SELECT_BY_RUN = "SELECT run_id, key_id, wrapped FROM payload_keys WHERE run_id = ANY($1::text[])"
SELECT_AFTER = (
    "SELECT run_id, key_id, wrapped FROM payload_keys WHERE run_id > $1 AND key_id <> $2 ORDER BY run_id LIMIT $3"
)


async def select_keys(connection: Any, run_ids: Sequence[str]) -> dict[str, WrappedKey]:
    """Returns the wrapped keys of the runs that have one."""
    return {row[0]: WrappedKey(*row) for row in await connection.fetch(SELECT_BY_RUN, list(run_ids))}


async def insert_keys(connection: Any, keys: Sequence[WrappedKey]) -> None:
    """Inserts keys in one statement."""
    await connection.execute(_INSERT, *_columns(keys))


async def replace_keys(connection: Any, keys: Sequence[WrappedKey]) -> None:
    """Replaces the keys of runs that still have one, in one statement."""
    await connection.execute(_REPLACE, *_columns(keys))


async def delete_keys(connection: Any, run_ids: Sequence[str]) -> None:
    """Deletes the keys of runs."""
    await connection.execute(_DELETE, list(run_ids))


def _columns(keys: Sequence[WrappedKey]) -> list[list[str]]:
    return list(map(list, zip(*keys, strict=True)))
