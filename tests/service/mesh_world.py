"""A runtime whose peers are real gRPC servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from meshflow_grpc.domain.mesh import MeshChangeKind, MeshNode, PeerTarget
from meshflow_grpc.mesh.call_channels import NoCredentials
from meshflow_grpc.mesh.peer_client import GrpcPeerClient
from meshflow_grpc.ports.mesh import MeshAccess
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.peers import mesh_node
from tests.service.conftest import Service
from tests.unit.engine.conftest import World, make_world


@dataclass
class Listed:
    """Peers in a fixed order; every call is admitted."""

    nodes: list[MeshNode]

    def candidates(self, tenant_id: str, target: PeerTarget) -> tuple[MeshNode, ...]:
        """All."""
        assert tenant_id and target
        return tuple(self.nodes)

    def admit(self, node_id: str) -> bool:
        """Always."""
        return bool(node_id)

    def release(self, node_id: str) -> None:
        """Nothing to give back."""

    def record(self, node_id: str, *, ok: bool, latency_ms: float, sent: int, received: int) -> None:
        """Nothing to keep."""

    def announce(self, kind: MeshChangeKind, slug: str, detail: str) -> None:
        """Nobody to tell."""


def node_of(slug: str, service: Service) -> MeshNode:
    """A server as registered."""
    return mesh_node(slug, f"127.0.0.1:{service.port}")


@asynccontextmanager
async def caller(*nodes: MeshNode, storage: MemoryStorage | None = None, answer_s: float = 5.0) -> AsyncIterator[World]:
    """A runtime that hands work to these nodes."""
    client = GrpcPeerClient(NoCredentials(), answer_s=answer_s)
    try:
        yield make_world(storage=storage, mesh=MeshAccess(Listed(list(nodes)), client))
    finally:
        await client.close()
