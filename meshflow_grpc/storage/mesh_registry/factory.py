"""Opens the registry an address names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.storage.factory import IN_MEMORY, file_path, is_postgres
from meshflow_grpc.storage.mesh_registry.memory import MemoryRegistry
from meshflow_grpc.storage.mesh_registry.sqlite import SqliteRegistry

if TYPE_CHECKING:
    from meshflow_grpc.ports.mesh import NodeRegistry


async def open_registry(url: str) -> NodeRegistry:
    """Opens a registry: a file path, ``sqlite:///path``, ``postgresql://…`` or ``memory:``; raises LedgerUnavailableError."""
    if url == IN_MEMORY:
        return MemoryRegistry()
    if is_postgres(url):
        from meshflow_grpc.storage.mesh_registry.postgres import PostgresRegistry

        return await PostgresRegistry.open(url)
    return await SqliteRegistry.open(file_path(url))


def registry_of(configured: str | None, ledger: str) -> str:
    """Where nodes find each other: as configured, else the ledger's own database when others can reach it, else memory."""
    if configured:
        return configured
    return ledger if is_postgres(ledger) else IN_MEMORY
