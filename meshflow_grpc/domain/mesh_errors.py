"""Errors of the mesh that callers see."""

from __future__ import annotations

from meshflow_grpc.domain.errors import ErrorReason, MeshflowError


class MeshNotConfiguredError(MeshflowError):
    """This server is no node."""

    reason = ErrorReason.MESH_NOT_CONFIGURED

    def __init__(self) -> None:
        super().__init__("this server is no node of a mesh; set MESHFLOW_MESH_SLUG (docs/mesh.md)")


class NodeNotFoundError(MeshflowError):
    """No such node serves the caller's tenant, or none of them lives."""

    reason = ErrorReason.NODE_NOT_FOUND
