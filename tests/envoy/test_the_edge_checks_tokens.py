"""The edge's JWT filter, for installations that want strangers refused before they reach a server."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from benchmarks.fleet import edge_envoy, until_healthy
from meshflow_grpc.client import AsyncClient, Connection, MeshflowCallError
from meshflow_grpc.envoy.jwt_filter import JwtFilter
from tests.envoy.answering_server import Witness, start_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.envoy.process import EnvoyOptions

ISSUER, AUDIENCE, ORIGIN = "https://login.example.com", "meshflow", "https://console.example.com"
KEY = ec.generate_private_key(ec.SECP256R1())


def token(**claims: Any) -> str:
    """A token that the edge takes, unless claims say otherwise."""
    standard = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ci", "exp": time.time() + 600}
    return jwt.encode({**standard, **claims}, KEY, "ES256", {"kid": "one"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def url(options: EnvoyOptions, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of an edge that asks for tokens."""
    assert options.binary.exists()
    directory = tmp_path_factory.mktemp("edge")
    jwks = directory / "jwks.json"
    jwks.write_text(public_keys())
    health = HealthServicer()
    await health.set("meshflow-readiness", health_pb2.HealthCheckResponse.SERVING)
    server, port = await start_server(Witness(), "127.0.0.1:0", health=health)
    edge = edge_envoy(directory / "edge.yaml", [port], jwt=JwtFilter(ISSUER, AUDIENCE, jwks), allowed_origins=(ORIGIN,))
    async with edge as (public_url, admin):
        await until_healthy(admin, 1)
        yield public_url
    await server.stop(None)


def public_keys() -> str:
    """The JWKS of the issuer."""
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
    return json.dumps({"keys": [{**public, "kid": "one", "alg": "ES256", "use": "sig"}]})


async def run(url: str, *, bearer: str | None) -> httpx.Response:
    """A run over REST."""
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
        return await http.post("/run", json={"task": "x"}, headers=headers)


async def test_a_good_token_passes_and_reaches_the_server(url: str) -> None:
    """The server decides what it allows."""
    good = token()
    answer = await run(url, bearer=good)
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.json()["output"])["metadata"]["authorization"] == f"Bearer {good}"


@pytest.mark.parametrize(
    ("claims", "status", "reason"),
    [
        (None, 401, "UNAUTHENTICATED"),
        ({"exp": time.time() - 600}, 401, "UNAUTHENTICATED"),
        ({"iss": "https://elsewhere.example.com"}, 401, "UNAUTHENTICATED"),
        ({"aud": "billing"}, 403, "PERMISSION_DENIED"),
    ],
)
async def test_others_are_refused_in_the_shape_of_every_error(
    url: str, claims: dict[str, Any] | None, status: int, reason: str
) -> None:
    """None, expired, of another issuer, for another audience."""
    answer = await run(url, bearer=None if claims is None else token(**claims))
    assert (answer.status_code, answer.json()["details"][0]["reason"]) == (status, reason), answer.text


async def test_grpc_clients_see_a_status(url: str) -> None:
    """UNAUTHENTICATED, not a broken connection."""
    async with AsyncClient(Connection(url)) as client:
        with pytest.raises(MeshflowCallError) as refused:
            await client.get_run("run_1")
    assert refused.value.code == "UNAUTHENTICATED"
    async with AsyncClient(Connection(url, token=token())) as client:
        assert (await client.get_run("run_1")).run_id == "run_1"


async def test_probes_and_preflights_need_none(url: str) -> None:
    """Balancers and browsers cannot send one; the page may read a refusal."""
    preflight = {"origin": ORIGIN, "access-control-request-method": "POST"}
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
        assert (await http.get("/health")).status_code == 200
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/openapi.json")).text == "/openapi.json"
        assert (await http.get("/.well-known/jwks.json")).text == "/.well-known/jwks.json"
        answer = await http.options("/run", headers=preflight)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ORIGIN)
        refused = await http.post("/run", json={"task": "x"}, headers={"origin": ORIGIN})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)
