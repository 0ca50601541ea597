"""The mesh's part of the asynchronous client."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from meshflow_grpc._gen.meshflow.v1 import mesh_pb2, mesh_service_pb2, mesh_service_pb2_grpc
from meshflow_grpc.client.async_calls import CallsOfOneClient, messages, result

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from meshflow_grpc.client.connection import Connection
    from meshflow_grpc.client.messages import ListNodesResponse, MeshChange, MeshNode, ResolveNodeResponse


class AsyncMeshCalls(CallsOfOneClient):
    """Nodes that hand work to each other."""

    connection: Connection
    _mesh: mesh_service_pb2_grpc.MeshServiceStub

    async def register_node(
        self,
        slug: str,
        endpoints: Sequence[str],
        *,
        concerns: Mapping[str, int] | None = None,
        public_key: str = "",
        tls: bool = False,
        version: str = "",
        ttl_s: float = 0.0,
    ) -> MeshNode:
        """Registers a node that is no meshflow server; ``concerns`` are names and priorities. It lives by ``heartbeat``."""
        request = mesh_service_pb2.RegisterNodeRequest(
            slug=slug,
            endpoints=endpoints,
            concerns=[mesh_pb2.MeshConcern(name=n, priority=p) for n, p in (concerns or {}).items()],
            public_key=public_key,
            tls=tls,
            version=version,
            ttl_s=ttl_s,
        )
        return await result(self._mesh.RegisterNode(request, **self._call()))

    async def heartbeat(self, node_id: str) -> float:
        """Says that a node lives; returns within how many seconds the next one is due."""
        request = mesh_service_pb2.HeartbeatRequest(node_id=node_id)
        return (await result(self._mesh.Heartbeat(request, **self._call()))).ttl_s

    async def list_nodes(self) -> ListNodesResponse:
        """Returns all nodes and how they do, by name."""
        return await result(self._mesh.ListNodes(mesh_service_pb2.ListNodesRequest(), **self._call()))

    async def resolve_node(
        self, slug: str = "", *, concern: str = "", failover: Sequence[str] = ()
    ) -> ResolveNodeResponse:
        """Returns whom a step would go to, in order: a slug's node or those that take a concern, then the failover list."""
        request = mesh_service_pb2.ResolveNodeRequest(slug=slug, concern=concern, failover=failover)
        return await result(self._mesh.ResolveNode(request, **self._call()))

    async def watch_mesh(self, *, after_sequence: int = 0) -> AsyncGenerator[MeshChange, None]:
        """Yields what happened in the mesh and then what happens, without end; a broken connection ends it with an error."""
        request = mesh_service_pb2.WatchMeshRequest(after_sequence=after_sequence)
        async with aclosing(messages(self._mesh.WatchMesh(request, metadata=self.connection.metadata))) as changes:
            async for change in changes:
                yield change
