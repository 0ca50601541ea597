"""Several members of one mesh in one registry: they register, live, leave, die, and survive its outages."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.mesh import Concern, MeshNode, PeerHealth, PeerTarget
from meshflow_grpc.mesh.health_checker import CheckRules
from meshflow_grpc.mesh.local_mesh import LocalMesh, MeshRules
from meshflow_grpc.storage.mesh_registry.memory import MemoryRegistry
from meshflow_grpc.system import SystemClock
from tests.fakes.mesh import MeshLog, mesh_node
from tests.service.health_servers import HealthServer
from tests.service.test_peers_are_checked_over_real_channels import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TTL_S = 0.6
# Where something has to happen before a node counts as gone.
LONG_TTL_S = 3.0


class SharedRegistry(MemoryRegistry):
    """Shared by members of one process, so that none of them closes it; ``down`` plays an outage."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False

    async def nodes(self) -> tuple[MeshNode, ...]:
        """Fails while it is down."""
        if self.down:
            raise LedgerUnavailableError("the registry of nodes is down")
        return await super().nodes()

    async def heartbeat(self, node_id: str, now: str) -> bool:
        """Fails while it is down."""
        if self.down:
            raise LedgerUnavailableError("the registry of nodes is down")
        return await super().heartbeat(node_id, now)

    async def close(self) -> None:
        """Stays open."""


class Member:
    """A node: its server of health checks, its place in the mesh, and what it was told."""

    def __init__(self, slug: str, registry: SharedRegistry, *concerns: Concern, ttl_s: float = TTL_S) -> None:
        self.slug = slug
        self.ttl_s = ttl_s
        self.concerns = concerns
        self.log = MeshLog()
        self.server = HealthServer()
        rules = MeshRules(checks=CheckRules(interval_s=0.05, timeout_s=60.0))
        self.mesh = LocalMesh(registry, rules, SystemClock(), self.log, lambda: 0.5)

    async def join(self) -> None:
        """Starts and registers."""
        await self.server.start()
        now = SystemClock().now()
        node = mesh_node(self.slug, *self.concerns, endpoints=(self.server.endpoint,), ttl_s=self.ttl_s)
        await self.mesh.join(replace(node, registered_at=now, heartbeat_at=now))

    async def leave(self) -> None:
        """Takes its leave and stops."""
        await self.mesh.close()
        await self.server.stop()

    def health(self, slug: str) -> PeerHealth | None:
        """How it sees another one."""
        return next((view.health for view in self.mesh.views("acme") if view.node.slug == slug), None)

    def asked(self, **target: object) -> list[str]:
        """Whom it would ask."""
        return [view.node.slug for view in self.mesh.resolve("acme", PeerTarget(**target))]  # type: ignore[arg-type]


@asynccontextmanager
async def members(registry: SharedRegistry, ttl_s: float = TTL_S) -> AsyncIterator[list[Member]]:
    """Three of them, which know each other to be well."""
    found = [
        Member("build.ai", registry, Concern("build", 10), ttl_s=ttl_s),
        Member("marco.ai", registry, Concern("build", 5), ttl_s=ttl_s),
        Member("cortex.ai", registry, ttl_s=ttl_s),
    ]
    for member in found:
        await member.join()
    for member in found:
        await until(lambda member=member: all(member.health(o.slug) is PeerHealth.HEALTHY for o in found))  # type: ignore[misc]
    yield found
    for member in found:
        await member.leave()


@pytest.fixture
def registry() -> SharedRegistry:
    """An empty one."""
    return SharedRegistry()


async def test_nodes_find_each_other_and_route_by_concern(registry: SharedRegistry) -> None:
    """Each sees all three, itself included, as well."""
    async with members(registry) as (build, marco, cortex):
        for member in (build, marco, cortex):
            assert member.asked(concern="build") == ["build.ai", "marco.ai"]
            assert member.slug not in {view.node.slug for view in member.mesh.others()}
            assert {slug for kind, slug in member.log.told() if kind == "node_registered"} == {
                "build.ai",
                "marco.ai",
                "cortex.ai",
            }


async def test_a_node_that_leaves_is_not_asked_any_more(registry: SharedRegistry) -> None:
    """Without waiting for its time to live."""
    async with members(registry) as (build, _marco, cortex):
        await build.leave()
        await until(lambda: ("node_left", "build.ai") in cortex.log.told())

        assert cortex.asked(concern="build") == ["marco.ai"]
        assert await registry.heartbeat("id-of-build.ai", "now") is False


async def test_a_node_that_dies_is_unhealthy_first_and_gone_after_its_time(registry: SharedRegistry) -> None:
    """Neither leaves nor beats; others are asked meanwhile."""
    async with members(registry, LONG_TTL_S) as (build, _marco, cortex):
        build.mesh._keeping.cancel()  # type: ignore[union-attr]  # as kill -9 would
        await build.server.stop()
        await until(lambda: ("node_unhealthy", "build.ai") in cortex.log.told())
        assert cortex.asked(concern="build")[0] == "marco.ai"
        await until(lambda: ("node_expired", "build.ai") in cortex.log.told())

        assert cortex.asked(concern="build") == ["marco.ai"]
        assert [view.live for view in cortex.mesh.views("acme")] == [False, True, True]


async def test_a_node_whose_entry_vanished_registers_again(registry: SharedRegistry) -> None:
    """Somebody took it out, or a replica of its name left."""
    async with members(registry) as (build, _marco, _cortex):
        await registry.remove("id-of-build.ai")
        await until(lambda: ("build.ai", "") in registry._nodes)

        assert build.asked(slug="build.ai") == ["build.ai"]


async def test_while_the_registry_is_down_nobody_is_taken_for_dead(registry: SharedRegistry) -> None:
    """For longer than a time to live; when it is back nobody's heartbeat is late."""
    async with members(registry) as (build, _marco, cortex):
        registry.down = True
        await asyncio.sleep(TTL_S * 1.5)
        assert cortex.asked(concern="build") == ["build.ai", "marco.ai"]
        registry.down = False
        beaten = registry._nodes["cortex.ai", ""].heartbeat_at
        await until(lambda: registry._nodes["cortex.ai", ""].heartbeat_at != beaten)

        for member in (build, cortex):
            assert not [kind for kind, _ in member.log.told() if kind in {"node_expired", "node_left"}]


async def test_nodes_registered_by_others_live_by_their_heartbeats(registry: SharedRegistry) -> None:
    """A tenant's own agent, which another tenant neither sees nor keeps alive."""
    async with members(registry) as (build, *_):
        agent = await build.mesh.register(mesh_node("agent.ai", tenant_id="acme", heartbeat_at=SystemClock().now()))

        assert await build.mesh.heartbeat("other", agent.node_id) is None
        assert await build.mesh.heartbeat("acme", "nobody") is None
        beaten = await build.mesh.heartbeat("acme", agent.node_id)
        assert beaten is not None
        assert beaten.node_id == agent.node_id
        assert "agent.ai" in [view.node.slug for view in build.mesh.views("acme")]
        assert "agent.ai" not in [view.node.slug for view in build.mesh.views("other")]


async def test_leaving_twice_is_leaving_once(registry: SharedRegistry) -> None:
    """Also while the registry is down."""
    member = Member("build.ai", registry)
    await member.join()
    registry.down = True
    await member.leave()
    await member.leave()


async def test_a_replica_that_leaves_leaves_the_entry_to_the_others(registry: SharedRegistry) -> None:
    """The last one takes it out, once it has been alone for a time to live."""
    one, other = (Member("build.ai", registry, ttl_s=LONG_TTL_S) for _ in range(2))
    await one.join()
    await other.join()
    watcher = Member("cortex.ai", registry)
    await watcher.join()
    await until(lambda: one.mesh._replica_seen is not None and other.mesh._replica_seen is not None)
    await one.leave()
    assert ("build.ai", "") in registry._nodes
    left_at = registry._nodes["build.ai", ""].heartbeat_at
    await until(lambda: registry._nodes["build.ai", ""].heartbeat_at > left_at)
    seen = other.mesh._replica_seen
    assert seen is not None
    await until(lambda: SystemClock().monotonic() - seen > LONG_TTL_S)
    assert other.mesh._replica_seen == seen

    await other.leave()

    await until(lambda: ("node_left", "build.ai") in watcher.log.told())
    assert [kind for kind, slug in watcher.log.told() if slug == "build.ai"][-1] == "node_left"
    await watcher.leave()
