"""This server as a node of a mesh, as the settings say."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc import __version__
from meshflow_grpc.app.mesh_security import node_credentials
from meshflow_grpc.domain.address import endpoint
from meshflow_grpc.domain.mesh import MeshNode
from meshflow_grpc.domain.policy import CircuitBreakerConfig
from meshflow_grpc.mesh.directory import DirectoryRules
from meshflow_grpc.mesh.health_checker import CheckRules
from meshflow_grpc.mesh.local_mesh import LocalMesh, MeshRules
from meshflow_grpc.mesh.peer_client import GrpcPeerClient
from meshflow_grpc.ports.mesh import MeshAccess
from meshflow_grpc.storage.factory import IN_MEMORY
from meshflow_grpc.storage.mesh_registry.factory import open_registry, registry_of
from meshflow_grpc.system import SystemClock, Uuid7Ids, jitter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.app.telemetry import Telemetry
    from meshflow_grpc.config import Settings
    from meshflow_grpc.mesh.node_credentials import SignedCalls

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Membership:
    """This server's place in the mesh: what it knows of it, what it shows its peers, and how its steps call them."""

    local: LocalMesh
    credentials: SignedCalls
    access: MeshAccess

    async def join(self, settings: Settings, port: int) -> None:
        """Registers with this node's key; ``port`` is the public one. Raises LedgerUnavailableError."""
        await self.local.join(own_node(settings, port, self.credentials.public_jwk))


@asynccontextmanager
async def open_mesh(settings: Settings, telemetry: Telemetry) -> AsyncIterator[Membership | None]:
    """The mesh, not yet joined; None without MESHFLOW_MESH_SLUG.

    Raises ConfigurationError for keys that cannot be used, LedgerUnavailableError when the registry cannot.
    """
    if settings.mesh_slug is None:
        yield None
        return
    credentials = node_credentials(settings)
    where = registry_of(settings.mesh_registry, settings.ledger_db)
    registry = await open_registry(where)
    if where == IN_MEMORY:
        _log.warning(
            "mesh_registry_in_memory", note="no other node can find this one", remedy="set MESHFLOW_MESH_REGISTRY"
        )
    mesh = LocalMesh(registry, mesh_rules(settings), SystemClock(), telemetry.observer, jitter, credentials)
    telemetry.metrics.watch_mesh(mesh.others)
    client = GrpcPeerClient(credentials, answer_s=settings.mesh_check_timeout_s)
    try:
        yield Membership(mesh, credentials, MeshAccess(mesh.directory, client))
    finally:
        await client.close()
        await mesh.close()


def mesh_rules(settings: Settings) -> MeshRules:
    """How peers are watched. Failures open a breaker however far apart they are: what counts is that they are in a row."""
    breaker = CircuitBreakerConfig(
        failure_threshold=settings.mesh_breaker_failures,
        failure_window_s=float("inf"),
        half_open_after_s=settings.mesh_breaker_open_s,
    )
    checks = CheckRules(settings.mesh_check_interval_s, settings.mesh_check_timeout_s)
    return MeshRules(DirectoryRules(settings.mesh_check_failures, breaker), checks)


def own_node(settings: Settings, port: int, public_key: str) -> MeshNode:
    """This server as its peers are to see it; ``port`` is the public one. Serves every tenant."""
    now = SystemClock().now()
    return MeshNode(
        node_id=Uuid7Ids().run_id().removeprefix("run_"),
        slug=settings.mesh_slug or "",
        tenant_id="",
        endpoints=settings.node_endpoints or (endpoint(settings.host, port),),
        concerns=settings.node_concerns,
        public_key=public_key,
        tls=settings.uses_tls,
        version=__version__,
        registered_at=now,
        heartbeat_at=now,
        ttl_s=settings.mesh_ttl_s,
    )
