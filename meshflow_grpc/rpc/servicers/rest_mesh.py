"""The mesh's part of RestService."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from google.api.httpbody_pb2 import HttpBody

from meshflow_grpc._gen.meshflow.v1 import mesh_service_pb2, rest_service_pb2_grpc
from meshflow_grpc.rpc.call import current_call, current_principal
from meshflow_grpc.rpc.convert.json_request import typed_fields
from meshflow_grpc.rpc.convert.mesh import change_sse_block, node_to_proto, registration_from_json
from meshflow_grpc.rpc.event_stream import last_event_id, with_heartbeats

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from google.protobuf.struct_pb2 import Struct

    from meshflow_grpc._gen.meshflow.v1 import mesh_pb2, rest_service_pb2
    from meshflow_grpc.commands.catalog import Commands


class RestMeshServicer(rest_service_pb2_grpc.RestServiceServicer):
    """JSON twins of MeshService."""

    _commands: Commands
    _heartbeat_s: float

    async def RegisterNodeJson(self, request: Struct, context: Any) -> mesh_pb2.MeshNode:  # noqa: N802 - RPC name
        """See rest_service.proto."""
        asked = registration_from_json(request)
        return node_to_proto(await self._commands.mesh.register_node.execute(current_principal(), asked))

    async def HeartbeatJson(  # noqa: N802 - RPC name
        self, request: rest_service_pb2.NodeBody, context: Any
    ) -> mesh_service_pb2.HeartbeatResponse:
        """See rest_service.proto."""
        typed_fields(request.body, {})
        node = await self._commands.mesh.heartbeat.execute(current_principal(), request.node_id)
        return mesh_service_pb2.HeartbeatResponse(ttl_s=node.ttl_s)

    async def GetNodeKeys(self, request: rest_service_pb2.GetNodeKeysRequest, context: Any) -> HttpBody:  # noqa: N802
        """See rest_service.proto."""
        keys = await self._commands.mesh.get_node_keys.execute()
        return HttpBody(content_type="application/json", data=keys.encode())

    async def WatchMeshEvents(  # noqa: N802 - RPC name
        self, request: mesh_service_pb2.WatchMeshRequest, context: Any
    ) -> AsyncGenerator[HttpBody, None]:
        """See rest_service.proto."""
        after = last_event_id(current_call().metadata.get("last-event-id"), request.after_sequence)
        changes = self._commands.mesh.watch_mesh.execute(current_principal(), after_sequence=after)
        async with aclosing(with_heartbeats(changes, change_sse_block, self._heartbeat_s)) as blocks:
            async for block in blocks:
                yield HttpBody(content_type="text/event-stream", data=block)
