"""MeshService."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from meshflow_grpc._gen.meshflow.v1 import mesh_service_pb2, mesh_service_pb2_grpc
from meshflow_grpc.rpc.call import current_principal
from meshflow_grpc.rpc.convert.mesh import (
    change_to_proto,
    node_to_proto,
    nodes_to_proto,
    registration_from_proto,
    target_from_proto,
    view_to_proto,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc._gen.meshflow.v1 import mesh_pb2
    from meshflow_grpc.commands.catalog import Commands


class MeshServicer(mesh_service_pb2_grpc.MeshServiceServicer):
    """Nodes that hand work to each other."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def RegisterNode(  # noqa: N802 - RPC name
        self, request: mesh_service_pb2.RegisterNodeRequest, context: Any
    ) -> mesh_pb2.MeshNode:
        """See mesh_service.proto."""
        asked = registration_from_proto(request)
        return node_to_proto(await self._commands.mesh.register_node.execute(current_principal(), asked))

    async def Heartbeat(  # noqa: N802 - RPC name
        self, request: mesh_service_pb2.HeartbeatRequest, context: Any
    ) -> mesh_service_pb2.HeartbeatResponse:
        """See mesh_service.proto."""
        node = await self._commands.mesh.heartbeat.execute(current_principal(), request.node_id)
        return mesh_service_pb2.HeartbeatResponse(ttl_s=node.ttl_s)

    async def ListNodes(  # noqa: N802 - RPC name
        self, request: mesh_service_pb2.ListNodesRequest, context: Any
    ) -> mesh_service_pb2.ListNodesResponse:
        """See mesh_service.proto."""
        return nodes_to_proto(await self._commands.mesh.list_nodes.execute(current_principal()))

    async def ResolveNode(  # noqa: N802 - RPC name
        self, request: mesh_service_pb2.ResolveNodeRequest, context: Any
    ) -> mesh_service_pb2.ResolveNodeResponse:
        """See mesh_service.proto."""
        found = await self._commands.mesh.resolve_node.execute(current_principal(), target_from_proto(request))
        return mesh_service_pb2.ResolveNodeResponse(nodes=map(view_to_proto, found))

    async def WatchMesh(  # noqa: N802 - RPC name
        self, request: mesh_service_pb2.WatchMeshRequest, context: Any
    ) -> AsyncGenerator[mesh_pb2.MeshChange, None]:
        """See mesh_service.proto."""
        changes = self._commands.mesh.watch_mesh.execute(current_principal(), after_sequence=request.after_sequence)
        async with aclosing(changes) as stream:
            async for change in stream:
                yield change_to_proto(change)
