"""ResolveNode: whom a step would go to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.commands.mesh_member import MeshCommand
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.mesh_errors import NodeNotFoundError

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import NodeView, PeerTarget
    from meshflow_grpc.domain.run import Principal


class ResolveNodeCommand(MeshCommand):
    """Answers from memory."""

    async def execute(self, principal: Principal, target: PeerTarget) -> tuple[NodeView, ...]:
        """The nodes in the order in which they are asked. Raises InvalidRequestError, NodeNotFoundError and MeshNotConfiguredError."""
        mesh = self._mesh
        if (target.slug is None) == (target.concern is None):
            raise InvalidRequestError.of(FieldViolation("slug", "name either a slug or a concern"))
        found = mesh.resolve(principal.tenant_id, target)
        if not found:
            asked = f"no node {target.slug!r}" if target.slug else f"no node that takes {target.concern!r}"
            raise NodeNotFoundError(f"{asked} lives and serves this tenant; ListNodes shows all that are known")
        return found
