"""ListNodes: the nodes that serve a tenant, and how they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.commands.mesh_member import MeshCommand

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import NodeView
    from meshflow_grpc.domain.run import Principal


class ListNodesCommand(MeshCommand):
    """Answers from memory."""

    async def execute(self, principal: Principal) -> tuple[NodeView, ...]:
        """Nodes by name, those that are gone included. Raises MeshNotConfiguredError."""
        return self._mesh.views(principal.tenant_id)
