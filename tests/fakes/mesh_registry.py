"""A mesh without machines: a registry in a dictionary, nodes made by name."""

from __future__ import annotations

from dataclasses import replace

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.mesh import MeshNode

DAY = "2026-01-01T00:00:00.000Z"


def node(slug: str = "build.ai", *, tenant: str = "", public_key: str | None = None, tls: bool = False) -> MeshNode:
    """A registered node."""
    return MeshNode(f"id-of-{slug}-{tenant}", slug, tenant, ("127.0.0.1:1",), (), public_key, tls, "0", DAY, DAY, 30.0)


class DictRegistry:
    """Implements ports.mesh.NodeRegistry; counts how often it is read, and is down when told."""

    def __init__(self, *nodes: MeshNode) -> None:
        self.kept = {each.node_id: each for each in nodes}
        self.reads = 0
        self.down = False

    async def register(self, node: MeshNode) -> MeshNode:
        """Keeps it under its id."""
        self.kept[node.node_id] = node
        return node

    async def heartbeat(self, node_id: str, now: str) -> bool:
        """Notes the time."""
        if node_id in self.kept:
            self.kept[node_id] = replace(self.kept[node_id], heartbeat_at=now)
        return node_id in self.kept

    async def nodes(self) -> tuple[MeshNode, ...]:
        """All of them."""
        self.reads += 1
        if self.down:
            raise LedgerUnavailableError("the registry is down")
        return tuple(self.kept.values())

    async def remove(self, node_id: str) -> None:
        """Forgets one."""
        self.kept.pop(node_id, None)

    async def close(self) -> None:
        """Holds nothing."""
