"""The edge in front of two servers: which calls it makes again of the other one, and which never."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from benchmarks.fleet import edge_envoy, until_healthy
from meshflow_grpc.client import AsyncClient, Connection, MeshflowCallError
from meshflow_grpc.rpc.error_status import RETRY_ELSEWHERE
from tests.envoy.answering_server import Witness, start_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from meshflow_grpc.envoy.process import EnvoyOptions

READINESS = "meshflow-readiness"

MOST = 50


class Mood(grpc.aio.ServerInterceptor):
    """Counts what reaches a server, and refuses it while `refusal` holds trailing metadata."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refusal: tuple[tuple[str, str], ...] | None = None

    async def intercept_service(
        self, next_handler: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """Leaves health checks alone."""
        handler = await next_handler(details)
        if "Health" in details.method:
            return handler
        self.calls.append(details.method.rpartition("/")[2])
        if self.refusal is None:
            return handler
        return grpc.unary_unary_rpc_method_handler(self._refuse)

    async def _refuse(self, _request: bytes, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "not here", self.refusal)


class Edge:
    """A running edge and the two servers behind it."""

    def __init__(self, url: str, admin: str, moods: list[Mood], health: list[HealthServicer]) -> None:
        self.url = url
        self.admin = admin
        self.moods = moods
        self.health = health
        self.servers: list[grpc.aio.Server] = []

    @property
    def calls(self) -> list[str]:
        """What reached either server."""
        return [call for mood in self.moods for call in mood.calls]


@pytest_asyncio.fixture(loop_scope="session")
async def edge(options: EnvoyOptions, tmp_path: Path) -> AsyncIterator[Edge]:
    """An edge of its own for each test, since tests stop and ban its servers."""
    assert options.binary.exists()
    async with two_servers() as (servers, ports, moods, health), edge_envoy(tmp_path / "edge.yaml", ports) as urls:
        running = Edge(*urls, moods, health)
        running.servers = servers
        await until_healthy(running.admin, 2)
        yield running


@asynccontextmanager
async def two_servers() -> AsyncIterator[tuple[list[grpc.aio.Server], list[int], list[Mood], list[HealthServicer]]]:
    """Two ready servers."""
    moods, health = [Mood(), Mood()], [HealthServicer(), HealthServicer()]
    started = [
        await start_server(Witness(), "127.0.0.1:0", mood, health=one) for mood, one in zip(moods, health, strict=True)
    ]
    for one in health:
        await one.set(READINESS, health_pb2.HealthCheckResponse.SERVING)
    yield [server for server, _ in started], [port for _, port in started], moods, health
    for server, _ in started:
        await server.stop(None)


async def runs(edge: Edge, count: int) -> list[int]:
    """HTTP statuses of so many runs over REST."""
    async with httpx.AsyncClient(base_url=edge.url, timeout=60, trust_env=False) as http:
        return [(await http.post("/run", json={"task": "x"})).status_code for _ in range(count)]


async def test_calls_spread_over_all_servers(edge: Edge) -> None:
    """Both get some."""
    assert await runs(edge, 20) == [200] * 20
    assert all(mood.calls for mood in edge.moods)


async def test_a_run_that_a_server_did_not_begin_goes_to_the_other(edge: Edge) -> None:
    """REST and gRPC, without the caller seeing anything, though a run is nothing to send twice."""
    edge.moods[0].refusal = ((RETRY_ELSEWHERE, "1"),)
    async with AsyncClient(Connection(edge.url)) as client:
        for _ in range(MOST):  # which server is asked first is chance
            assert await runs(edge, 3) == [200] * 3
            assert (await client.run("x")).status == "completed"
            if edge.moods[0].calls:
                break
    assert edge.moods[0].calls


async def test_a_run_that_may_have_begun_is_not_sent_twice(edge: Edge) -> None:
    """UNAVAILABLE alone says nothing about that; the caller decides, with a request id."""
    for mood in edge.moods:
        mood.refusal = ()
    assert await runs(edge, 1) == [503]
    assert edge.calls == ["RunJson"]


async def test_a_read_is_tried_on_the_other_server(edge: Edge) -> None:
    """Also a stream, before its first message."""
    edge.moods[0].refusal = ()
    async with httpx.AsyncClient(base_url=edge.url, timeout=60, trust_env=False) as http:
        for _ in range(MOST):  # which server is asked first is chance
            assert (await http.get("/v1/runs/run_1")).status_code == 200
            assert (await http.get("/v1/runs/run_absent/events")).status_code == 404
            assert (await http.get("/health")).status_code == 200
            if edge.moods[0].calls:
                break
    assert edge.moods[0].calls


async def test_a_server_that_is_gone_costs_no_call(edge: Edge) -> None:
    """What could not be delivered is delivered to the other."""
    await edge.servers[0].stop(None)
    assert await runs(edge, 10) == [200] * 10
    assert not edge.moods[0].calls


async def test_a_server_that_wants_no_traffic_gets_none(edge: Edge) -> None:
    """Readiness of grpc.health.v1, as a draining server tells it; with none left they are asked all the same, to say why."""
    await edge.health[0].set(READINESS, health_pb2.HealthCheckResponse.NOT_SERVING)
    await until_healthy(edge.admin, 1)
    assert await runs(edge, 10) == [200] * 10
    assert not edge.moods[0].calls
    await edge.health[1].set(READINESS, health_pb2.HealthCheckResponse.NOT_SERVING)
    await until_healthy(edge.admin, 0)
    edge.moods[0].refusal = edge.moods[1].refusal = ()
    async with AsyncClient(Connection(edge.url)) as client:
        with pytest.raises(MeshflowCallError, match="not here"):
            await client.fork_run("run_1", before_node="writer")
