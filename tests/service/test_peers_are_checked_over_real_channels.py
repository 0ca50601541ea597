"""Health checks over grpc.health.v1: peers that serve, refuse, freeze, die and come back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.mesh import PeerHealth
from meshflow_grpc.mesh.channels import PeerChannels
from meshflow_grpc.mesh.directory import Directory, DirectoryRules
from meshflow_grpc.mesh.health_checker import CheckRules, HealthChecker
from tests.fakes.clock import FakeClock
from tests.fakes.mesh import MeshLog, mesh_node
from tests.service.health_servers import HealthServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from meshflow_grpc.domain.mesh import MeshNode

# A peer that answers is never too late, however busy the machine is; one that does not is given up soon.
PATIENT, HASTY = CheckRules(interval_s=0.03, timeout_s=60.0), CheckRules(interval_s=0.03, timeout_s=0.2)


class Watched:
    """A directory whose nodes are checked."""

    def __init__(self) -> None:
        self.log = MeshLog()
        self.directory = Directory(DirectoryRules(), FakeClock(), self.log.mesh_changed, self.log)
        self.channels = PeerChannels()
        self.checker = HealthChecker(self.directory, self.channels, PATIENT, lambda: 0.5)

    def watch(self, **endpoints: str | tuple[str, ...]) -> None:
        """Nodes by slug."""
        nodes = tuple(
            mesh_node(slug, endpoints=where if isinstance(where, tuple) else (where,))
            for slug, where in endpoints.items()
        )
        self.directory.refresh(nodes, 0.0)
        self.checker.watch(nodes)

    def health(self, slug: str) -> PeerHealth:
        """How a node does."""
        return next(view.health for view in self.directory.views() if view.node.slug == slug)


async def until(true: Callable[[], bool]) -> None:
    """Returns as soon as something holds."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - others change it
            await asyncio.sleep(0.005)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """Nothing is watched yet."""
    mesh = Watched()
    yield mesh
    await mesh.checker.stop()
    await mesh.channels.close()


@pytest.fixture
async def server() -> AsyncIterator[HealthServer]:
    """A peer that serves."""
    peer = HealthServer()
    await peer.start()
    yield peer
    await peer.stop()


async def test_a_peer_that_serves_is_healthy(watched: Watched, server: HealthServer) -> None:
    """And asked again and again."""
    watched.watch(build=server.endpoint)

    await until(lambda: watched.health("build") is PeerHealth.HEALTHY and server.asked >= 3)


async def test_a_peer_that_does_not_serve_is_unhealthy_after_three_checks(
    watched: Watched, server: HealthServer
) -> None:
    """The third failure tells; a fourth does not tell again."""
    server.serving = False
    watched.watch(build=server.endpoint)
    await until(lambda: watched.health("build") is PeerHealth.UNHEALTHY)
    assert server.asked == 3
    await until(lambda: server.asked > 5)

    assert [kind for kind, _ in watched.log.told()] == ["node_registered", "node_unhealthy"]
    assert "does not serve now" in watched.log.changes[1].detail


async def test_a_frozen_peer_is_unhealthy(watched: Watched, server: HealthServer) -> None:
    """It takes calls and never answers; when it thaws it recovers."""
    server.frozen = True
    watched.checker = HealthChecker(watched.directory, watched.channels, HASTY, lambda: 0.5)
    watched.watch(build=server.endpoint)
    await until(lambda: watched.health("build") is PeerHealth.UNHEALTHY)
    assert "DEADLINE_EXCEEDED" in watched.log.changes[1].detail

    server.frozen = False
    await until(lambda: watched.health("build") is PeerHealth.HEALTHY)


async def test_a_peer_that_died_recovers_when_it_is_back(watched: Watched, server: HealthServer) -> None:
    """On the same port, without anybody's help."""
    watched.watch(build=server.endpoint)
    await until(lambda: watched.health("build") is PeerHealth.HEALTHY)
    await server.stop()
    await until(lambda: watched.health("build") is PeerHealth.UNHEALTHY)
    await server.start()
    await until(lambda: watched.health("build") is PeerHealth.HEALTHY)

    assert [kind for kind, _ in watched.log.told()] == ["node_registered", "node_unhealthy", "node_recovered"]


async def test_one_endpoint_that_serves_is_enough(watched: Watched, server: HealthServer) -> None:
    """Endpoints of a node are asked one after another."""
    watched.watch(build=("127.0.0.1:1", server.endpoint))

    await until(lambda: watched.health("build") is PeerHealth.HEALTHY)


async def test_a_slow_peer_does_not_hold_up_the_checks_of_others(watched: Watched, server: HealthServer) -> None:
    """Each has a task of its own."""
    frozen = HealthServer()
    frozen.frozen = True
    await frozen.start()
    watched.watch(build=server.endpoint, cortex=frozen.endpoint)
    await until(lambda: server.asked >= 10)

    assert frozen.asked == 1
    await frozen.stop()


async def test_who_is_no_longer_watched_is_not_asked(watched: Watched, server: HealthServer) -> None:
    """Its connection is closed too; a node that moved is asked at its new place."""
    watched.watch(build=server.endpoint)
    await until(lambda: watched.health("build") is PeerHealth.HEALTHY)
    other = HealthServer()
    await other.start()
    watched.watch(build=other.endpoint)
    await until(lambda: other.asked >= 3)
    asked = server.asked
    await watched.channels.keep(watched.directory.live())
    await until(lambda: other.asked >= 6)

    assert server.asked == asked
    await other.stop()


class NoFiles:
    """Credentials whose files are gone."""

    def metadata(self, node: MeshNode, tenant_id: str, digest: str) -> tuple[tuple[str, str], ...]:
        """Nothing."""
        return ()

    def channel_credentials(self, node: MeshNode, endpoint: str) -> object | None:
        """Cannot be read."""
        raise FileNotFoundError("no certificate")


async def test_a_peer_that_cannot_even_be_asked_is_unhealthy(watched: Watched, server: HealthServer) -> None:
    """The reason is told: here it is this node's own certificate."""
    watched.checker = HealthChecker(watched.directory, PeerChannels(NoFiles()), PATIENT, lambda: 0.5)
    watched.watch(build=server.endpoint)
    await until(lambda: watched.health("build") is PeerHealth.UNHEALTHY)

    assert "no certificate" in watched.log.changes[1].detail
