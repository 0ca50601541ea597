"""Two real nodes: one serves mutual TLS and asks its users for API keys, the other calls it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.rpc.authenticators.api_key import new_api_key
from tests.clients.test_clients_speak_mutual_tls import Identity, identity
from tests.mesh.conftest import FAST, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TRUSTING = """
name: trusting
entry: hand
nodes:
  hand: {kind: grpc, peer: build.ai, task: "${task}"}
"""


def build_ai(start: StartServer, directory: Path, own: Identity, authority: Path) -> MeshflowServer:
    """A node that lets in nobody without a certificate of an authority, and no user without a key."""
    directory.mkdir()
    _, entry = new_api_key("op", "default", ("operator",), lambda size: "ab" * size)
    keys = directory / "keys.json"
    keys.write_text(json.dumps({"keys": [entry]}))
    return start(
        directory,
        **FAST,
        MESHFLOW_MESH_REGISTRY=str(directory.parent / "registry.db"),
        MESHFLOW_MESH_SLUG="build.ai",
        MESHFLOW_AUTH="api_key",
        MESHFLOW_API_KEYS_FILE=str(keys),
        MESHFLOW_TLS_CERT_FILE=str(own.certificate),
        MESHFLOW_TLS_KEY_FILE=str(own.key),
        MESHFLOW_TLS_CLIENT_CA_FILE=str(authority),
    )


def cortex_ai(start: StartServer, directory: Path, **settings: str) -> MeshflowServer:
    """A node that hands its work to build.ai."""
    directory.mkdir()
    registry = str(directory.parent / "registry.db")
    server = start(directory, **FAST, MESHFLOW_MESH_REGISTRY=registry, MESHFLOW_MESH_SLUG="cortex.ai", **settings)
    assert server.post("/v1/workflows", {"yaml": TRUSTING}).status_code == 200
    return server


def health(server: MeshflowServer) -> str:
    """Of build.ai, as the server sees it."""
    nodes: list[dict[str, Any]] = server.get("/v1/mesh/nodes").json()["nodes"]
    return next((str(each["health"]) for each in nodes if each["slug"] == "build.ai"), "absent")


def test_certificates_and_tokens_open_the_way_together(start_server: StartServer, tmp_path: Path) -> None:
    """With its certificate a node is checked and served over TLS; without it not a word is said, and the step fails."""
    own, caller = identity(tmp_path, "build"), identity(tmp_path, "cortex")
    build = build_ai(start_server, tmp_path / "build", own, caller.certificate)
    assert build.url.startswith("https://")
    trusted = {
        "MESHFLOW_MESH_CA_FILE": str(own.certificate),
        "MESHFLOW_MESH_CERT_FILE": str(caller.certificate),
        "MESHFLOW_MESH_CERT_KEY_FILE": str(caller.key),
    }
    cortex = cortex_ai(start_server, tmp_path / "cortex", **trusted)
    until(lambda: health(cortex) == "healthy")
    run = cortex.post("/run", {"task": "x", "workflow": "trusting"}).json()
    assert run["status"] == "completed", run
    assert build.rows("SELECT principal_id FROM runs") == [("node:cortex.ai",)]
    assert cortex.stop() == 0

    stranger = cortex_ai(start_server, tmp_path / "stranger", MESHFLOW_MESH_CA_FILE=str(own.certificate))
    until(lambda: health(stranger) == "unhealthy")
    refused = stranger.post("/run", {"task": "y", "workflow": "trusting"}).json()
    assert refused["status"] == "failed", refused
    assert len(build.rows("SELECT principal_id FROM runs")) == 1
