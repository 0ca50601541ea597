"""A registry that lives as long as its process: for a node alone, and for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LedgerUnavailableError

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import MeshNode


class MemoryRegistry:
    """See ``ports.mesh.NodeRegistry``."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[str, str], MeshNode] = {}
        self._closed = False

    async def register(self, node: MeshNode) -> MeshNode:
        """See NodeRegistry."""
        nodes, key = self._open(), (node.slug, node.tenant_id)
        known = nodes.get(key)
        if known is not None:
            node = replace(node, node_id=known.node_id, registered_at=known.registered_at)
        nodes[key] = node
        return node

    async def heartbeat(self, node_id: str, now: str) -> bool:
        """See NodeRegistry."""
        nodes = self._open()
        for key, node in nodes.items():
            if node.node_id == node_id:
                nodes[key] = replace(node, heartbeat_at=now)
                return True
        return False

    async def nodes(self) -> tuple[MeshNode, ...]:
        """See NodeRegistry."""
        return tuple(node for _, node in sorted(self._open().items()))

    async def remove(self, node_id: str) -> None:
        """See NodeRegistry."""
        nodes = self._open()
        for key in [key for key, node in nodes.items() if node.node_id == node_id]:
            del nodes[key]

    async def close(self) -> None:
        """See NodeRegistry."""
        self._closed = True

    def _open(self) -> dict[tuple[str, str], MeshNode]:
        if self._closed:
            raise LedgerUnavailableError("the registry of nodes is closed")
        return self._nodes
