"""The edge's JWT filter with the keys of an issuer at a URL."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from benchmarks.fleet import edge_envoy, until_healthy
from meshflow_grpc.envoy.jwt_filter import JwtFilter
from tests.envoy.answering_server import Witness, start_server
from tests.envoy.test_the_edge_checks_tokens import AUDIENCE, ISSUER, public_keys, run, token
from tests.fakes.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshflow_grpc.envoy.process import EnvoyOptions


@asynccontextmanager
async def issuer(authority: Authority) -> AsyncIterator[str]:
    """An HTTPS server with the issuer's keys; yields their URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        assert asked.startswith(b"GET /keys HTTP/1.1\r\n"), asked
        body = public_keys().encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    files = authority.server("issuer")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"


@asynccontextmanager
async def edge(directory: Path, authority: Authority, trusted: Authority) -> AsyncIterator[str]:
    """An edge in front of one server that takes the issuer's certificate if ``trusted`` signed it."""
    health = HealthServicer()
    await health.set("meshflow-readiness", health_pb2.HealthCheckResponse.SERVING)
    server, port = await start_server(Witness(), "127.0.0.1:0", health=health)
    async with issuer(authority) as url:
        filtered = JwtFilter(ISSUER, AUDIENCE, url, trusted.file)
        async with edge_envoy(directory / "edge.yaml", [port], jwt=filtered) as (public_url, admin):
            await until_healthy(admin, 1)
            yield public_url
    await server.stop(None)


async def test_tokens_are_checked_with_the_fetched_keys(options: EnvoyOptions, tmp_path: Path) -> None:
    """From the first call on: the port opens when the keys are there."""
    assert options.binary.exists()
    authority = Authority(tmp_path)
    async with edge(tmp_path, authority, authority) as url:
        assert (await run(url, bearer=token())).status_code == 200
        refused = await run(url, bearer=token(iss="https://elsewhere.example.com"))
        assert (refused.status_code, refused.json()["details"][0]["reason"]) == (401, "UNAUTHENTICATED")
        assert (await run(url, bearer=None)).status_code == 401


async def test_keys_of_somebody_else_are_not_taken(options: EnvoyOptions, tmp_path: Path) -> None:
    """A server whose certificate no trusted authority signed could hand out keys of its own."""
    assert options.binary.exists()
    async with edge(tmp_path, Authority(tmp_path), Authority(tmp_path, "trusted")) as url:
        refused = await run(url, bearer=token())
        assert (refused.status_code, refused.json()["details"][0]["reason"]) == (401, "UNAUTHENTICATED")
