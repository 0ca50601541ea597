"""The Python and the TypeScript client over mutual TLS; Go's and Java's own suites test theirs."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshflow_grpc._gen.meshflow.v1 import system_service_pb2
from meshflow_grpc.client import AsyncClient, Connection, MeshflowCallError, TlsFiles
from tests.clients.conftest import program

TYPESCRIPT = Path(__file__).resolve().parents[2] / "clients/typescript"
HEALTH = """
import { readFileSync } from "node:fs";
import { connectNode } from "./dist/src/node.js";
const [address, ca, cert, key] = process.argv.slice(1);
const read = (path) => (path ? readFileSync(path) : undefined);
const client = connectNode(address, { token: "secret", tls: { ca: read(ca), cert: read(cert), key: read(key) }, timeoutMs: 10000 });
console.log(await client.health().then((health) => health.version, (error) => error.code));
client.close();
"""


@dataclass(frozen=True)
class Identity:
    """A certificate that signs itself, and its key, as PEM files."""

    certificate: Path
    key: Path


def identity(directory: Path, name: str) -> Identity:
    """Makes one for 127.0.0.1, valid for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = Identity(directory / f"{name}.pem", directory / f"{name}.key")
    files.certificate.write_bytes(certificate.public_bytes(pem))
    plain = serialization.NoEncryption()
    files.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return files


@dataclass(frozen=True)
class SecureServer:
    """A server that asks for certificates."""

    address: str
    own: Identity
    client: Identity
    tokens: list[str]


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[SecureServer]:
    """One that answers GetHealth to whoever holds the client's certificate."""
    own, client = identity(tmp_path, "server"), identity(tmp_path, "client")
    tokens: list[str] = []

    async def health(_: object, context: grpc.aio.ServicerContext[object, object]) -> object:
        tokens.extend(str(value) for key, value in context.invocation_metadata() or () if key == "authorization")
        return system_service_pb2.GetHealthResponse(ok=True, version="tls")

    handler = grpc.unary_unary_rpc_method_handler(
        health,
        request_deserializer=system_service_pb2.GetHealthRequest.FromString,
        response_serializer=system_service_pb2.GetHealthResponse.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("meshflow.v1.SystemService", {"GetHealth": handler})]
    )
    pair = (own.key.read_bytes(), own.certificate.read_bytes())
    credentials = grpc.ssl_server_credentials([pair], client.certificate.read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield SecureServer(f"https://127.0.0.1:{port}", own, client, tokens)
    await server.stop(None)


async def test_python(secure: SecureServer) -> None:
    """The call passes with the certificate, and fails without it or with the server unknown."""
    both = TlsFiles(secure.own.certificate, secure.client.certificate, secure.client.key)
    async with AsyncClient(Connection(secure.address, token="secret", tls=both)) as client:
        assert (await client.health()).version == "tls"
    assert secure.tokens == ["Bearer secret"]

    async with AsyncClient(Connection(secure.address.upper(), token="secret", timeout_s=10)) as client:
        with pytest.raises(MeshflowCallError, match="UNAVAILABLE"):
            await client.health()  # with TLS, and so without a word to a server it does not know

    for tls in (TlsFiles(ca=secure.own.certificate), None):
        async with AsyncClient(Connection(secure.address, tls=tls, timeout_s=10)) as client:
            with pytest.raises(MeshflowCallError, match="UNAVAILABLE"):
                await client.health()


@pytest.fixture
def node() -> str:
    """Node, with the TypeScript client built."""
    found, npm = program("node"), program("npm")
    if not (TYPESCRIPT / "dist/src/node.js").exists():
        for step in (("ci", "--no-audit", "--no-fund"), ("run", "build")):
            subprocess.run([npm, *step], cwd=TYPESCRIPT, check=True, capture_output=True)
    return found


async def test_typescript(secure: SecureServer, node: str) -> None:
    """The same through Node."""
    async def health(*files: Path, address: str = secure.address) -> str:
        process = await asyncio.create_subprocess_exec(
            *(node, "--input-type=module", "-e", HEALTH, address, *map(str, files)),
            cwd=TYPESCRIPT,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        return output.decode().strip()

    assert await health(secure.own.certificate, secure.client.certificate, secure.client.key) == "tls"
    assert secure.tokens == ["Bearer secret"]
    plain = secure.address.removeprefix("https://")
    assert await health(secure.own.certificate, secure.client.certificate, secure.client.key, address=plain) == "tls"
    # With TLS 1.3 the server's alert comes after the handshake, and Node may take it for the end of the stream.
    assert await health(secure.own.certificate) in ("Unavailable", "Internal", "Canceled")
    assert await health() in ("Unavailable", "Internal")
    assert len(secure.tokens) == 2
