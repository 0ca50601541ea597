"""TLS on the edge's public address, one-sided and mutual."""

from __future__ import annotations

import ssl
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import httpx
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from benchmarks.fleet import edge_envoy, until_healthy
from meshflow_grpc.client import AsyncClient, Connection, TlsFiles
from meshflow_grpc.envoy.tls import EdgeTls
from meshflow_grpc.envoy.write_edge import parsed
from tests.envoy.answering_server import Witness, start_server
from tests.fakes.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

    from meshflow_grpc.envoy.process import EnvoyOptions


async def test_rest_and_grpc_are_encrypted_and_may_ask_for_certificates(options: EnvoyOptions, tmp_path: Path) -> None:
    """Who shows none of the right authority gets no answer at all; a server's certificate is checked by the caller."""
    assert options.binary.exists()
    authority = Authority(tmp_path)
    files, own = authority.server(), authority.client("caller", "spiffe://example.org/caller")
    health = HealthServicer()
    await health.set("meshflow-readiness", health_pb2.HealthCheckResponse.SERVING)
    server, port = await start_server(Witness(), "127.0.0.1:0", health=health)
    trusting = ssl.create_default_context(cafile=str(authority.file))
    showing = ssl.create_default_context(cafile=str(authority.file))
    showing.load_cert_chain(own.certificate, own.key)

    tls = EdgeTls(files.certificate, files.key)
    async with edge_envoy(tmp_path / "edge.yaml", [port], public_tls=tls) as (url, admin):
        await until_healthy(admin, 1)
        assert (await _run(url, trusting)).status_code == 200
        connection = Connection(url, tls=TlsFiles(authority.file))
        async with AsyncClient(connection) as client:
            assert (await client.get_run("run_1")).run_id == "run_1"
        with pytest.raises(httpx.ConnectError):
            await _run(url, ssl.create_default_context())

    mutual = EdgeTls(files.certificate, files.key, authority.file)
    async with edge_envoy(tmp_path / "edge.yaml", [port], public_tls=mutual) as (url, admin):
        await until_healthy(admin, 1)
        assert (await _run(url, showing)).status_code == 200
        # TLS 1.3 tells the caller with its first answer: as an alert, or as a connection that is gone.
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            await _run(url, trusting)
    await server.stop(None)


async def _run(url: str, context: ssl.SSLContext) -> httpx.Response:
    """A run over REST."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60, verify=context) as http:
        return await http.post("/run", json={"task": "x"})


def test_the_files_come_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate has a key, a client's authority needs both, and paths are absolute."""
    _, config = parsed(["edge.yaml", "--cert", "/tls/edge.pem", "--key", "/tls/edge.key", "--client-ca", "/tls/ca.pem"])
    assert config.public_tls == EdgeTls(*(PurePosixPath(f"/tls/{name}") for name in ("edge.pem", "edge.key", "ca.pem")))
    assert parsed(["edge.yaml"])[1].public_tls is None
    for wrong, why in (
        (["--cert", "/tls/edge.pem"], "--cert and --key go together"),
        (["--client-ca", "/tls/ca.pem"], "--client-ca needs both"),
        (["--cert", "edge.pem", "--key", "/tls/edge.key"], "absolute path"),
    ):
        with pytest.raises(SystemExit):
            parsed(["edge.yaml", *wrong])
        assert why in capsys.readouterr().err
