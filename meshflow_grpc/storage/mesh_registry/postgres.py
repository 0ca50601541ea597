"""A registry in a PostgreSQL database, which the nodes of all machines share."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import asyncpg

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.mesh_registry.rows import COLUMNS, node_of, nodes_of, values_of
from meshflow_grpc.storage.postgres.errors import DRIVER_ERRORS, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.domain.mesh import MeshNode

COMMAND_TIMEOUT_S = 5.0
CONNECTIONS = 2
_LOCK = "SELECT pg_advisory_xact_lock(84835829055491)"
_TABLE = """CREATE TABLE IF NOT EXISTS mesh_nodes (
    node_id text PRIMARY KEY, slug text NOT NULL, tenant_id text NOT NULL, registered_at text NOT NULL,
    heartbeat_at text NOT NULL, body text NOT NULL, UNIQUE (slug, tenant_id))"""
_UPSERT = f"""INSERT INTO mesh_nodes ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (slug, tenant_id)
    DO UPDATE SET heartbeat_at = excluded.heartbeat_at, body = excluded.body RETURNING {COLUMNS}"""  # noqa: S608
_HEARTBEAT = "UPDATE mesh_nodes SET heartbeat_at = $1 WHERE node_id = $2 RETURNING node_id"
_ALL = f'SELECT {COLUMNS} FROM mesh_nodes ORDER BY slug COLLATE "C", tenant_id COLLATE "C"'  # noqa: S608
_REMOVE = "DELETE FROM mesh_nodes WHERE node_id = $1"


class PostgresRegistry:
    """See ``ports.mesh.NodeRegistry``. Connects again by itself after an outage."""

    def __init__(self, pool: Any) -> None:  # noqa: ANN401 - asyncpg ships no annotations
        self._pool = pool

    @classmethod
    async def open(cls, url: str) -> PostgresRegistry:
        """Connects, and makes the table when it is missing; raises LedgerUnavailableError."""
        with translated():
            pool = await asyncpg.create_pool(
                url,
                min_size=0,
                max_size=CONNECTIONS,
                command_timeout=COMMAND_TIMEOUT_S,
                statement_cache_size=0,
                server_settings={"application_name": "meshflow-mesh"},
            )
        try:
            with translated():
                async with pool.acquire(timeout=COMMAND_TIMEOUT_S) as connection, connection.transaction():
                    await connection.execute(_LOCK)
                    await connection.execute(_TABLE)
        except BaseException:
            pool.terminate()
            raise
        return cls(pool)

    async def register(self, node: MeshNode) -> MeshNode:
        """See NodeRegistry."""
        (row,) = await self._fetch(_UPSERT, *values_of(node))
        return node_of(row)

    async def heartbeat(self, node_id: str, now: str) -> bool:
        """See NodeRegistry."""
        return bool(await self._fetch(_HEARTBEAT, now, node_id))

    async def nodes(self) -> tuple[MeshNode, ...]:
        """See NodeRegistry."""
        return nodes_of(await self._fetch(_ALL))

    async def remove(self, node_id: str) -> None:
        """See NodeRegistry."""
        await self._fetch(_REMOVE, node_id)

    async def close(self) -> None:
        """See NodeRegistry."""
        self._pool.terminate()

    async def _fetch(self, sql: str, *values: str) -> Any:  # noqa: ANN401 - a driver's rows
        with translated():
            async with self._pool.acquire(timeout=COMMAND_TIMEOUT_S) as connection:
                return await connection.fetch(sql, *values)


@contextmanager
def translated() -> Iterator[None]:
    """Turns a driver's errors into LedgerUnavailableError that names the registry."""
    try:
        yield
    except DRIVER_ERRORS as error:
        message = unavailable(error).message.replace("the ledger", "the registry of nodes")
        raise LedgerUnavailableError(message, retry_after_s=1.0) from error
