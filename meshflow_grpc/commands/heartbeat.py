"""Heartbeat: a node that somebody registered lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.commands.mesh_member import MeshCommand
from meshflow_grpc.domain.mesh_errors import NodeNotFoundError

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.domain.run import Principal


class HeartbeatCommand(MeshCommand):
    """Only for nodes of the caller's own tenant: servers that serve all tenants keep themselves alive."""

    async def execute(self, principal: Principal, node_id: str) -> MeshNode:
        """The node as kept. Raises NodeNotFoundError, after which it registers again, and MeshNotConfiguredError."""
        node = await self._mesh.heartbeat(principal.tenant_id, node_id)
        if node is None:
            message = f"no node {node_id!r} is registered for this tenant; register it"
            raise NodeNotFoundError(message, metadata={"node_id": node_id})
        return node
