"""A registry in a SQLite file, which the nodes of one machine share."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.mesh_registry.rows import COLUMNS, node_of, nodes_of, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from meshflow_grpc.domain.mesh import MeshNode

T = TypeVar("T")
BUSY_TIMEOUT_S = 5.0
FILE_MODE = 0o600
_TABLE = """CREATE TABLE IF NOT EXISTS mesh_nodes (
    node_id TEXT PRIMARY KEY, slug TEXT NOT NULL, tenant_id TEXT NOT NULL, registered_at TEXT NOT NULL,
    heartbeat_at TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (slug, tenant_id)) STRICT, WITHOUT ROWID"""
_UPSERT = f"""INSERT INTO mesh_nodes ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (slug, tenant_id)
    DO UPDATE SET heartbeat_at = excluded.heartbeat_at, body = excluded.body RETURNING {COLUMNS}"""  # noqa: S608
_HEARTBEAT = "UPDATE mesh_nodes SET heartbeat_at = ? WHERE node_id = ?"
_ALL = f"SELECT {COLUMNS} FROM mesh_nodes ORDER BY slug, tenant_id"  # noqa: S608
_REMOVE = "DELETE FROM mesh_nodes WHERE node_id = ?"


class SqliteRegistry:
    """See ``ports.mesh.NodeRegistry``. Each call has a connection of its own, on a thread: several processes write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> SqliteRegistry:
        """Opens the file, creating it when missing, readable by its owner alone; raises LedgerUnavailableError."""
        registry = cls(path)
        await asyncio.to_thread(registry._prepare)
        return registry

    async def register(self, node: MeshNode) -> MeshNode:
        """See NodeRegistry."""
        rows = await self._call(lambda connection: connection.execute(_UPSERT, values_of(node)).fetchall())
        return node_of(rows[0])

    async def heartbeat(self, node_id: str, now: str) -> bool:
        """See NodeRegistry."""
        return await self._call(lambda connection: connection.execute(_HEARTBEAT, (now, node_id)).rowcount > 0)

    async def nodes(self) -> tuple[MeshNode, ...]:
        """See NodeRegistry."""
        return nodes_of(await self._call(lambda connection: connection.execute(_ALL).fetchall()))

    async def remove(self, node_id: str) -> None:
        """See NodeRegistry."""
        await self._call(lambda connection: connection.execute(_REMOVE, (node_id,)).rowcount)

    async def close(self) -> None:
        """See NodeRegistry."""
        self._closed = True

    async def _call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise LedgerUnavailableError("the registry of nodes is closed")
        return await asyncio.to_thread(self._on_connection, work)

    def _on_connection(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._translated(), closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S)) as connection, connection:
            return work(connection)

    def _prepare(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, FILE_MODE))
        except OSError as error:
            raise self._unavailable(error.strerror or "it cannot be created") from error
        self._on_connection(lambda connection: connection.execute(_TABLE).rowcount)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unavailable(str(error)) from error

    def _unavailable(self, why: str) -> LedgerUnavailableError:
        return LedgerUnavailableError(f"the registry of nodes {self._path} cannot be used: {why}", retry_after_s=1.0)
