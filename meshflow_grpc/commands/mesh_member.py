"""The mesh as the commands have it: there may be none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.mesh_errors import MeshNotConfiguredError

if TYPE_CHECKING:
    from meshflow_grpc.ports.mesh import MeshMember


class MeshCommand:
    """A use case of a node; raises MeshNotConfiguredError on a server that is none."""

    def __init__(self, mesh: MeshMember | None) -> None:
        self._member = mesh

    @property
    def _mesh(self) -> MeshMember:
        if self._member is None:
            raise MeshNotConfiguredError
        return self._member
