"""Reads a registry and leaves it as it is: nothing is created."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.factory import file_path, is_postgres
from meshflow_grpc.storage.mesh_registry.rows import COLUMNS, nodes_of

if TYPE_CHECKING:
    from pathlib import Path

    from meshflow_grpc.domain.mesh import MeshNode

TIMEOUT_S = 5.0
_ALL = f"SELECT {COLUMNS} FROM mesh_nodes ORDER BY slug, tenant_id"  # noqa: S608


async def registered_nodes(url: str) -> tuple[MeshNode, ...] | None:
    """The nodes of a registry in a file or PostgreSQL, None when it is not made yet; raises LedgerUnavailableError."""
    if is_postgres(url):
        return await _in_postgres(url)
    return await asyncio.to_thread(_in_file, file_path(url))


def _in_file(path: Path) -> tuple[MeshNode, ...] | None:
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_S)) as connection:
            made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'mesh_nodes'").fetchone()
            return nodes_of(connection.execute(_ALL).fetchall()) if made else None
    except sqlite3.Error as error:
        raise LedgerUnavailableError(f"the registry of nodes {path} cannot be used: {error}") from error


async def _in_postgres(url: str) -> tuple[MeshNode, ...] | None:
    import asyncpg

    from meshflow_grpc.storage.mesh_registry.postgres import translated

    with translated():
        connection = await asyncpg.connect(url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
        try:
            made = await connection.fetchval("SELECT to_regclass('mesh_nodes') IS NOT NULL")
            return nodes_of(await connection.fetch(_ALL)) if made else None
        finally:
            await connection.close()
