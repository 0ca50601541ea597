"""TLS between the edge and the servers behind it, one-sided and mutual."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from benchmarks.fleet import edge_envoy, until_healthy
from meshflow_grpc.envoy.upstream_tls import UpstreamTls
from meshflow_grpc.rpc.transport_security import ServerTls
from tests.envoy.answering_server import Witness, start_server
from tests.fakes.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshflow_grpc.envoy.process import EnvoyOptions


@asynccontextmanager
async def edge(
    directory: Path, authority: Authority, tls: UpstreamTls, *, mutual: bool
) -> AsyncIterator[tuple[str, str]]:
    """An edge in front of one server with a certificate of 127.0.0.1; yields its URL and its administration's."""
    files = authority.server()
    clients = authority.file.read_bytes() if mutual else None
    credentials = ServerTls(files.certificate.read_bytes(), files.key.read_bytes(), clients).credentials()
    health = HealthServicer()
    await health.set("meshflow-readiness", health_pb2.HealthCheckResponse.SERVING)
    server, port = await start_server(Witness(), "127.0.0.1:0", health=health, credentials=credentials)
    async with edge_envoy(directory / "edge.yaml", [port], tls=tls) as urls:
        yield urls
    await server.stop(None)


async def run(url: str) -> httpx.Response:
    """A run over REST."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
        return await http.post("/run", json={"task": "x"})


@pytest.mark.parametrize("mutual", [False, True])
async def test_calls_and_health_checks_are_encrypted(options: EnvoyOptions, tmp_path: Path, mutual: bool) -> None:
    """A server that demands certificates of its callers gets the edge's."""
    assert options.binary.exists()
    authority = Authority(tmp_path)
    own = authority.client("edge", "spiffe://example.org/edge")
    tls = UpstreamTls(authority.file, own.certificate, own.key) if mutual else UpstreamTls(authority.file)
    async with edge(tmp_path, authority, tls, mutual=mutual) as (url, admin):
        await until_healthy(admin, 1)
        answer = await run(url)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("wrong", ["authority", "name", "no certificate"])
async def test_a_server_that_proves_nothing_gets_no_call(options: EnvoyOptions, tmp_path: Path, wrong: str) -> None:
    """Of another authority, of another name; and an edge that proves nothing reaches no server."""
    assert options.binary.exists()
    authority = Authority(tmp_path)
    trusted = Authority(tmp_path, "trusted") if wrong == "authority" else authority
    tls = UpstreamTls(trusted.file, name="meshflow.internal" if wrong == "name" else None)
    async with edge(tmp_path, authority, tls, mutual=wrong == "no certificate") as (url, _):
        answer = await run(url)
        assert (answer.status_code, answer.json()["code"]) == (503, 14), answer.text
