"""This server as a node: it registers, lives, watches its peers, and leaves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.mesh.change_feed import ChangeFeed
from meshflow_grpc.mesh.channels import PeerChannels
from meshflow_grpc.mesh.directory import Directory, DirectoryRules
from meshflow_grpc.mesh.health_checker import CheckRules, HealthChecker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from meshflow_grpc.domain.mesh import MeshChange, MeshNode, NodeView, PeerTarget
    from meshflow_grpc.mesh.health_checker import Jitter
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.mesh import NodeCredentials, NodeRegistry
    from meshflow_grpc.ports.observer import MeshObserver

_log = structlog.get_logger(__name__)
# Seconds that leaving may take: a registry that is down does not hold up a shutdown.
LEAVE_S = 2.0
BEATS_PER_TTL = 3


@dataclass(frozen=True, slots=True)
class MeshRules:
    """How peers are watched."""

    directory: DirectoryRules = field(default_factory=DirectoryRules)
    checks: CheckRules = field(default_factory=CheckRules)


class LocalMesh:
    """Implements ports.mesh.MeshMember; ``directory`` is the Peers of the kernel. ``join`` first, ``close`` last."""

    def __init__(
        self,
        registry: NodeRegistry,
        rules: MeshRules,
        clock: Clock,
        observer: MeshObserver,
        jitter: Jitter,
        credentials: NodeCredentials | None = None,
    ) -> None:
        self.registry = registry
        self._clock = clock
        self._observer = observer
        self._feed = ChangeFeed()
        self.directory = Directory(rules.directory, clock, self.tell, observer, self._call_later)
        self.channels = PeerChannels(credentials)
        self._checker = HealthChecker(self.directory, self.channels, rules.checks, jitter)
        self._own: MeshNode | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._known_at = 0.0
        self._read_at: float | None = None
        self._reading = asyncio.Lock()
        self._beat = self._beating = ""
        self._replica_seen: float | None = None
        self._endpoints_seen: tuple[str, ...] = ()

    async def join(self, own: MeshNode) -> None:
        """Registers this server and begins to watch its peers; raises LedgerUnavailableError when the registry cannot be used."""
        self._own = await self.registry.register(own)
        self._beat, self._endpoints_seen = own.heartbeat_at, own.endpoints
        await self._read()
        self._keeping = asyncio.create_task(self._keep(), name="mesh membership")

    async def withdraw(self) -> None:
        """Takes this server out of the registry, so that peers ask it no more; its own runs may still ask them. Idempotent."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._deregister()

    async def close(self) -> None:
        """Withdraws, and ends all that watches. Idempotent."""
        await self.withdraw()
        await self._checker.stop()
        await self.channels.close()
        await self.registry.close()

    def views(self, tenant_id: str) -> tuple[NodeView, ...]:
        """See MeshMember."""
        return tuple(view for view in self.directory.views() if view.node.serves(tenant_id))

    def others(self) -> tuple[NodeView, ...]:
        """All nodes but this one, of all tenants. May be called from another thread."""
        own = self._own
        return tuple(view for view in self.directory.views() if own is None or view.node.node_id != own.node_id)

    def resolve(self, tenant_id: str, target: PeerTarget) -> tuple[NodeView, ...]:
        """See MeshMember."""
        views = {view.node.node_id: view for view in self.directory.views()}
        return tuple(views[node.node_id] for node in self.directory.candidates(tenant_id, target))

    async def register(self, node: MeshNode) -> MeshNode:
        """See MeshMember."""
        kept = await self.registry.register(node)
        await self._read()
        return kept

    async def heartbeat(self, tenant_id: str, node_id: str) -> MeshNode | None:
        """See MeshMember."""
        nodes = await self.registry.nodes()
        node = next((each for each in nodes if (each.node_id, each.tenant_id) == (node_id, tenant_id)), None)
        now = self._clock.now()
        if node is None or not await self.registry.heartbeat(node_id, now):
            return None
        await self._read()
        return replace(node, heartbeat_at=now)

    def public_keys(self) -> tuple[str, ...]:
        """See MeshMember."""
        own = self._own
        return (own.public_key,) if own is not None and own.public_key else ()

    def changes(self, tenant_id: str, after: int) -> AsyncGenerator[tuple[int, MeshChange], None]:
        """See MeshMember."""
        return self._feed.watch(tenant_id, after)

    def tell(self, change: MeshChange) -> None:
        """Tells the log, the metrics and those who watch of a change."""
        self._observer.mesh_changed(change)
        self._feed.publish(change)

    async def _keep(self) -> None:
        """Beats and reads three times in a TTL; a registry that cannot be used is asked again, and told of once."""
        own, failed = self._own, False
        if own is None:
            return
        while True:
            await asyncio.sleep(own.ttl_s / BEATS_PER_TTL)
            try:
                await self._read()
                now = self._beating = self._clock.now()
                if not await self.registry.heartbeat(own.node_id, now):
                    own = self._own = await self.registry.register(replace(own, heartbeat_at=now))
                    await self._read()
                self._beat = now
            except LedgerUnavailableError as error:
                if not failed:
                    _log.warning("mesh_registry_unavailable", reason=error.message)
                failed = True
            else:
                if failed:
                    _log.info("mesh_registry_available")
                failed = False

    async def _read(self) -> None:
        async with self._reading:
            await self._take_in(await self.registry.nodes())

    async def _take_in(self, nodes: tuple[MeshNode, ...]) -> None:
        now = self._clock.monotonic()
        own = self._own
        if self._read_at is not None and own is not None:
            # While the registry cannot be read nobody's heartbeat is late, nor is one that comes by the second read after that.
            self._known_at += min(now - self._read_at, 1.5 * own.ttl_s / BEATS_PER_TTL)
        self._read_at = now
        self._look_for_replicas(nodes, now)
        self.directory.refresh(nodes, self._known_at)
        for node_id in self.directory.forgotten(self._known_at):
            await self.registry.remove(node_id)
        live = self.directory.live()
        others = tuple(node for node in live if own is None or node.node_id != own.node_id)
        if own is not None:
            self.directory.checked(own.node_id, None)
        self._checker.watch(others)
        await self.channels.keep(live)

    def _look_for_replicas(self, nodes: tuple[MeshNode, ...], now: float) -> None:
        """Another process under this name beats too; one with other endpoints is more likely a mistake."""
        own = self._own
        entry = next((node for node in nodes if own is not None and node.node_id == own.node_id), None)
        if own is None or entry is None:
            return
        if entry.heartbeat_at not in (self._beat, self._beating):
            self._replica_seen = now
        if entry.endpoints not in (own.endpoints, self._endpoints_seen):
            _log.warning("mesh_name_taken", slug=own.slug, endpoints=entry.endpoints, own=own.endpoints)
        self._endpoints_seen = entry.endpoints

    async def _deregister(self) -> None:
        own, seen = self._own, self._replica_seen
        if own is None:
            return
        if seen is not None and self._clock.monotonic() - seen < own.ttl_s:
            _log.info("mesh_left_to_replicas", slug=own.slug)
            return
        try:
            async with asyncio.timeout(LEAVE_S):
                await self.registry.remove(own.node_id)
        except (LedgerUnavailableError, TimeoutError) as error:
            _log.warning("mesh_not_left", reason=str(error), note="peers notice by the missing heartbeat")

    def _call_later(self, seconds: float, function: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, function)
