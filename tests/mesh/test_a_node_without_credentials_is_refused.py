"""A real node, called over its public port by what is, and what only says that it is, another node."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

from meshflow_grpc.mesh.channel_files import ChannelFiles
from meshflow_grpc.mesh.node_credentials import SignedCalls
from meshflow_grpc.mesh.node_key import NodeKey
from meshflow_grpc.storage.mesh_registry.factory import open_registry
from tests.fakes.mesh_registry import node
from tests.mesh.conftest import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer

pytestmark = pytest.mark.slow
KEY = NodeKey.generate()


async def register(registry: str) -> None:
    """Puts build.ai in the registry, with its public key."""
    opened = await open_registry(registry)
    await opened.register(node("build.ai", public_key=KEY.public_jwk))
    await opened.close()


def call(server: MeshflowServer, *headers: tuple[str, str]) -> httpx.Response:
    """Runs something as a node."""
    return server.post("/run", {"task": "x"}, headers=dict(headers))


def cause(answer: httpx.Response) -> str:
    """Why a call was refused."""
    assert answer.status_code == 401, answer.text
    (info,) = (each for each in answer.json()["details"] if each["@type"].endswith("ErrorInfo"))
    found: str = info["metadata"]["cause"]
    return found


def metrics(server: MeshflowServer) -> str:
    """What Prometheus would read."""
    address: Any = next(line["address"] for line in server.log if line["event"] == "serving_metrics")
    return httpx.get(address, timeout=60).text


def test_a_node_is_let_in_by_its_key_and_by_nothing_else(start_server: StartServer, tmp_path: Path) -> None:
    """Users need no credential here, and a node does; refusals are counted by cause, logged, and told to those who watch."""
    registry = str(tmp_path / "registry.db")
    asyncio.run(register(registry))
    server = start_server(tmp_path, MESHFLOW_MESH_SLUG="marco.ai", MESHFLOW_MESH_REGISTRY=registry)
    signed = SignedCalls("build.ai", KEY, ChannelFiles())
    marco = node("marco.ai")

    used = signed.metadata(marco, "acme")
    run = call(server, *used)
    assert run.status_code == 200, run.text
    ((record,),) = server.rows("SELECT record FROM ledger_entries WHERE kind = 'run_started'")
    assert b'"actor":{"auth":"node","principal":"node:build.ai"}' in record

    assert cause(call(server, *used)) == "replayed"
    assert cause(call(server, ("meshflow-node", "build.ai"))) == "no_credential"
    assert cause(call(server, *signed.metadata(node("cortex.ai"), "acme"))) == "wrong_audience"
    stranger = SignedCalls("build.ai", NodeKey.generate(), ChannelFiles())
    assert cause(call(server, *stranger.metadata(marco, "acme"))) == "unknown_node"
    assert server.post("/run", {"task": "a user's"}).status_code == 200

    found = metrics(server)
    for name in ("replayed", "no_credential", "wrong_audience", "unknown_node"):
        assert f'meshflow_mesh_refusals_total{{cause="{name}"}} 1.0' in found

    def lines() -> list[dict[str, Any]]:
        return [line for line in server.log if line["event"] == "mesh_node_refused"]

    told = until(lambda: len(lines()) >= 4 and lines())
    assert {line["slug"] for line in told} == {"build.ai"}
    assert [line["detail"].split(":")[0] for line in told] == [
        "replayed",
        "no_credential",
        "wrong_audience",
        "unknown_node",
    ]
    own = server.get("/v1/mesh/nodes/marco.ai").json()
    assert '"kty":"OKP"' in str(own), own
    published = server.get("/.well-known/jwks.json")
    assert published.headers["content-type"] == "application/json"
    (kid,) = [each.key_id for each in jwt.PyJWKSet.from_json(published.text).keys]
    assert kid == json.loads(own["nodes"][0]["public_key"])["kid"]
