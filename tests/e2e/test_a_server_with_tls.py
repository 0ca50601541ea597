"""TLS and mutual TLS on the public port, with Envoy in front and without, through several kinds of client."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import grpc
import httpx
import pytest

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc.client import Client, Connection, MeshflowCallError, TlsFiles
from tests.fakes.certificates import Authority, PemFiles
from tests.fakes.log_keys import KEY
from tests.terminal.conftest import grpcurl

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer

__all__ = ["grpcurl"]
pytestmark = pytest.mark.slow
RENEWED_WITHIN_S = 60.0
POLL_S = 0.01
CI = "spiffe://example.org/ci"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the servers' and the clients' certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))


@dataclass
class SecureServer:
    """A server with a certificate of 127.0.0.1, and who signed it."""

    process: MeshflowServer
    authority: Authority
    name: str
    client: PemFiles | None

    @property
    def url(self) -> str:
        """The address without the remark behind it."""
        return self.process.url.split()[0]

    @property
    def tls(self) -> TlsFiles:
        """What a client needs."""
        if self.client is None:
            return TlsFiles(self.authority.file)
        return TlsFiles(self.authority.file, self.client.certificate, self.client.key)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Its log's lines of an event."""
        return [line for line in self.process.log if line["event"] == event]


def mutual_tls(authority: Authority) -> dict[str, str]:
    """The settings by which certificates are demanded and say who calls."""
    known = {"id": "ci", "uri": CI, "tenant": "acme", "roles": ["operator"]}
    file = authority.file.with_name("identities.json")
    file.write_text(json.dumps({"identities": [known]}))
    return {
        "MESHFLOW_TLS_CLIENT_CA_FILE": str(authority.file),
        "MESHFLOW_AUTH": "mtls",
        "MESHFLOW_MTLS_IDENTITIES_FILE": str(file),
        "MESHFLOW_ENV": "production",
        "MESHFLOW_SIGNING_KEY": KEY.skey(),
    }


def start(start_server: StartServer, authority: Authority, name: str, *options: str, mutual: bool) -> SecureServer:
    """Starts one whose agents take a while."""
    files = authority.server(name)
    environment = {
        "MESHFLOW_TLS_CERT_FILE": str(files.certificate),
        "MESHFLOW_TLS_KEY_FILE": str(files.key),
        "MESHFLOW_RELOAD_S": "0.1",
        "MESHFLOW_MOCK_LATENCY_MS": "500",
        **(mutual_tls(authority) if mutual else {}),
    }
    server = start_server(None, *options, **environment)
    assert server.url.startswith("https://127.0.0.1:")
    client = authority.client(f"{name}-client", CI) if mutual else None
    return SecureServer(server, authority, name, client)


@pytest.fixture(scope="module")
def behind_envoy(start_server: StartServer, authority: Authority) -> SecureServer:
    """Mutual TLS, spoken by Envoy."""
    return start(start_server, authority, "behind-envoy", mutual=True)


@pytest.fixture(scope="module", params=["envoy", "grpc-only"])
def mutual(request: pytest.FixtureRequest, start_server: StartServer, authority: Authority) -> SecureServer:
    """Mutual TLS, spoken by Envoy or by the gRPC server itself."""
    if request.param == "envoy":
        found: SecureServer = request.getfixturevalue("behind_envoy")
        return found
    return start(start_server, authority, "grpc-only", "--no-envoy", "--grpc-port", "0", mutual=True)


@pytest.fixture(scope="module")
def one_sided(start_server: StartServer, authority: Authority) -> SecureServer:
    """TLS that asks clients for no certificate."""
    return start(start_server, authority, "one-sided", mutual=False)


def shown_serial(server: SecureServer) -> str:
    """The serial number of the certificate that a new connection gets."""
    context = ssl.create_default_context(cafile=str(server.authority.file))
    context.set_alpn_protocols(["h2"])
    if server.client is not None:
        context.load_cert_chain(server.client.certificate, server.client.key)
    address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
    with (
        closing(socket.create_connection(address, timeout=60)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        return str((secure.getpeercert() or {})["serialNumber"])


def refused(connection: Connection) -> None:
    """Not even health is told."""
    with Client(connection) as client, pytest.raises(MeshflowCallError, match="UNAVAILABLE"):
        client.health()


def test_tls_alone_asks_for_no_certificate(one_sided: SecureServer) -> None:
    """REST and gRPC for whoever trusts the authority; nothing in plain text, and nothing for who does not trust it."""
    with Client(Connection(one_sided.url, tls=one_sided.tls)) as client:
        assert client.run("x").status == "completed"
    trusting = ssl.create_default_context(cafile=str(one_sided.authority.file))
    answer = httpx.get(f"{one_sided.url}/readyz", verify=trusting, timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    refused(Connection(one_sided.url))
    refused(Connection(one_sided.url.removeprefix("https://")))


def test_mutual_tls_lets_in_whom_the_authority_signed(mutual: SecureServer, grpcurl: Path, tmp_path: Path) -> None:
    """The Python client and grpcurl; without a certificate, and with one that somebody else signed, there is no handshake."""
    with Client(Connection(mutual.url, tls=mutual.tls)) as client:
        assert client.run("x").status == "completed"
    assert mutual.process.rows("SELECT DISTINCT tenant_id, principal_id FROM runs") == [("acme", "ci")]
    assert mutual.client is not None
    files = ["-cacert", mutual.authority.file, "-cert", mutual.client.certificate, "-key", mutual.client.key]
    command = [grpcurl, *files, mutual.url.removeprefix("https://"), "meshflow.v1.SystemService/GetHealth"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["ok"] is True, done.stderr
    stranger = Authority(tmp_path).client("stranger", CI)
    refused(Connection(mutual.url, tls=TlsFiles(mutual.authority.file)))
    refused(Connection(mutual.url, tls=TlsFiles(mutual.authority.file, stranger.certificate, stranger.key)))


def test_nobody_says_who_they_are_but_by_certificate(behind_envoy: SecureServer) -> None:
    """A known authority's certificate of nobody known, with the header that Envoy writes; and the port behind Envoy."""
    nobody = behind_envoy.authority.client("nobody", "spiffe://example.org/nobody")
    context = ssl.create_default_context(cafile=str(behind_envoy.authority.file))
    context.load_cert_chain(nobody.certificate, nobody.key)
    forged = {"x-forwarded-client-cert": f"URI={CI}", "x-meshflow-proxy-proof": "x"}
    answer = httpx.post(f"{behind_envoy.url}/run", json={"task": "x"}, headers=forged, verify=context, timeout=60)
    assert (answer.status_code, answer.json()["details"][0]["reason"]) == (401, "UNAUTHENTICATED")
    assert "spiffe://example.org/nobody" in answer.json()["message"]
    (serving,) = behind_envoy.logged("serving")
    with grpc.insecure_channel(f"127.0.0.1:{serving['grpc_port']}") as channel:
        runs: Any = RunServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            runs.Run(RunRequest(task="x"), metadata=tuple(forged.items()), timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED  # type: ignore[attr-defined]  # the raised one is a call


def test_rest_and_sse_over_mutual_tls(behind_envoy: SecureServer) -> None:
    """curl, HTTP/1.1 and HTTP/2; no certificate and TLS 1.1 are refused."""
    curl, client = shutil.which("curl"), behind_envoy.client
    assert curl is not None
    assert client is not None
    trusting = ["--cacert", str(behind_envoy.authority.file)]
    files = [*trusting, "--cert", str(client.certificate), "--key", str(client.key)]
    url = behind_envoy.url

    def curled(*options: str) -> subprocess.CompletedProcess[str]:
        command = [curl, "--silent", "--show-error", "--max-time", "30", "--noproxy", "*", *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    for version in ("--http1.1", "--http2"):
        done = curled(*files, version, f"{url}/run", "--json", '{"task": "x"}')
        assert json.loads(done.stdout)["status"] == "completed", done.stderr
    streamed = curled(*files, f"{url}/stream", "--json", '{"task": "x"}')
    assert streamed.stdout.count("data:") > 1, streamed.stderr
    assert curled(*trusting, f"{url}/health").returncode != 0
    assert curled(*files, "--tls-max", "1.1", f"{url}/health").returncode != 0


def test_a_renewed_certificate_is_used_and_no_connection_is_lost(mutual: SecureServer) -> None:
    """A stream that began before goes on after it, on its connection; new connections get the new certificate."""
    before = shown_serial(mutual)
    with Client(Connection(mutual.url, tls=mutual.tls, reconnects=0)) as client:
        events = client.stream_run("x")
        next(events)
        mutual.authority.server(mutual.name)
        deadline = time.monotonic() + RENEWED_WITHIN_S
        while shown_serial(mutual) == before:
            assert time.monotonic() < deadline, mutual.process.log[-5:]
            time.sleep(POLL_S)
        assert [event.event_type for event in events][-1] == "run_completed"
    while not mutual.logged("reloaded"):
        assert time.monotonic() < deadline, mutual.process.log[-5:]
        time.sleep(POLL_S)


def test_a_renewal_that_cannot_be_used_changes_nothing(mutual: SecureServer) -> None:
    """Half a renewal: the server goes on with the pair it has, and says why; once it is whole it is taken."""
    before, already = shown_serial(mutual), len(mutual.logged("not_reloaded"))
    other = mutual.authority.server(f"{mutual.name}-next")
    directory = mutual.authority.file.parent
    other.key.replace(directory / f"{mutual.name}.key")
    deadline = time.monotonic() + RENEWED_WITHIN_S
    while len(mutual.logged("not_reloaded")) == already:
        assert time.monotonic() < deadline
        time.sleep(POLL_S)
    assert "not the key of the certificate" in mutual.logged("not_reloaded")[-1]["reason"]
    assert "PRIVATE" not in json.dumps(mutual.process.log)
    assert shown_serial(mutual) == before
    other.certificate.replace(directory / f"{mutual.name}.pem")
    while shown_serial(mutual) == before:
        assert time.monotonic() < deadline
        time.sleep(POLL_S)
