"""Two real nodes. The one that asked is killed in the middle of its call, comes back, and finds the run it asked for."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from meshflow_grpc.audit.verifier import verify_bundle
from tests.e2e.conftest import MeshflowServer, StartServer

pytestmark = pytest.mark.slow
WAIT_S = 60
JOB = """
name: job
entry: write
nodes:
  write: {role: BUILDER, mock: {output: built there, latency_ms: 3000}}
"""
ASK = "name: ask\nentry: b\nnodes:\n  b: {kind: grpc, peer: build.ai, workflow: job, risk: external_io}\n"


def start(start_server: StartServer, place: Path, slug: str) -> MeshflowServer:
    """A node; its key is kept, so that it is the same node after a restart."""
    mine = place / slug
    mine.mkdir(exist_ok=True)
    registry = str(place / "registry.db")
    return start_server(mine, MESHFLOW_MESH_SLUG=slug, MESHFLOW_MESH_REGISTRY=registry, MESHFLOW_MESH_TTL_S="30")


def runs(server: MeshflowServer) -> list[dict[str, Any]]:
    """All runs of a server."""
    found: list[dict[str, Any]] = server.get("/v1/runs").json()["runs"]
    return found


def until(what: str, found: Any) -> Any:
    """Waits for something to be true."""
    give_up = time.monotonic() + WAIT_S
    while time.monotonic() < give_up:
        value = found()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not in {WAIT_S} s: {what}")


def keys(server: MeshflowServer, run_id: str) -> str:
    """The public keys of a server's log."""
    head = server.get("/v1/log/head").json()["head"]
    assert run_id
    return "".join(f"{key}\n" for key in head["keys"])


def test_kill_the_caller_in_the_middle(start_server: StartServer, tmp_path: Path) -> None:
    """One run at the peer, whose result is the step's; both ledgers verify from one bundle."""
    peer = start(start_server, tmp_path, "build.ai")
    caller = start(start_server, tmp_path, "cortex.ai")
    assert peer.post("/v1/workflows", {"yaml": JOB}).status_code == 200
    until("the caller knows the peer", lambda: caller.get("/v1/mesh/nodes/build.ai").status_code == 200)
    created = caller.post("/v1/runs", {"task": "t", "workflow_yaml": ASK}).json()
    until("the peer works", lambda: runs(peer))
    caller.kill()
    again = start(start_server, tmp_path, "cortex.ai")
    run_id = created["run_id"]
    run = again.get(f"/v1/runs/{run_id}:wait", params={"timeout_s": WAIT_S}).json()
    (there,) = runs(peer)

    assert (run["status"], run["output"]) == ("completed", "built there"), json.dumps(run)
    assert there["request_id"] == f"{run_id}/b#1"
    bundle = tmp_path / "bundle.tar"
    bundle.write_bytes(again.get(f"/v1/runs/{run_id}:export", params={"format": "evidence"}).content)
    report = verify_bundle(bundle, keys(again, run_id) + keys(peer, there["run_id"]))
    assert report.ok, [finding.text() for finding in report.findings]
    assert report.counts["peer_bundles"] == 1
