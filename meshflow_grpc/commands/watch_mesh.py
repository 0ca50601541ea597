"""WatchMesh: what happens to the nodes."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from meshflow_grpc.commands.mesh_member import MeshCommand
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.domain.mesh import MeshChange
    from meshflow_grpc.domain.run import Principal


class WatchMeshCommand(MeshCommand):
    """Streams without end."""

    async def execute(
        self, principal: Principal, *, after_sequence: int
    ) -> AsyncGenerator[tuple[int, MeshChange], None]:
        """Yields number and change. Raises InvalidRequestError and MeshNotConfiguredError before the first."""
        if after_sequence < 0:
            raise InvalidRequestError.of(FieldViolation("after_sequence", "must not be negative"))
        async with aclosing(self._mesh.changes(principal.tenant_id, after_sequence)) as changes:
            async for change in changes:
                yield change
