"""grpc.health.v1 as a client that is not ours sees it: every name, while the server serves and while it drains."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from meshflow_grpc.rpc.probe_server import LIVENESS_NAME
from meshflow_grpc.rpc.server import READINESS_NAMES
from tests.e2e.conftest import MeshflowServer, StartServer

# Longer than any test: a second signal ends it.
HELD = "name: held\nentry: sloth\nnodes:\n  sloth: {mock: {latency_ms: 600000}}\n"


def health(grpcurl: Path, address: str, name: str) -> str:
    """What the server says of a name."""
    asked = json.dumps({"service": name})
    command = [str(grpcurl), "-plaintext", "-d", asked, address.removeprefix("http://"), "grpc.health.v1.Health/Check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (name, done.stderr)
    return str(json.loads(done.stdout)["status"])


def address_of(server: MeshflowServer, face: str) -> str:
    """Envoy's public port, or the gRPC server's own, which the kubelet asks."""
    (serving,) = [line for line in server.log if line["event"] == "serving"]
    return server.url if face == "public" else f"127.0.0.1:{serving['grpc_port']}"


@pytest.mark.slow
@pytest.mark.parametrize("face", ["public", "internal"])
def test_readiness_ends_with_the_signal_and_liveness_goes_on(
    start_server: StartServer, grpcurl: Path, face: str
) -> None:
    """SIGTERM with a run in flight: no more traffic, but no reason to kill the process."""
    server = start_server(None, MESHFLOW_SHUTDOWN_GRACE_S="600")
    address = address_of(server, face)
    assert {health(grpcurl, address, name) for name in (*READINESS_NAMES, LIVENESS_NAME)} == {"SERVING"}

    run = server.post("/v1/runs", {"task": "x", "workflow_yaml": HELD}).json()
    assert run["status"] == "running"
    server.process.send_signal(signal.SIGTERM)
    while health(grpcurl, address, "meshflow-readiness") == "SERVING":
        assert server.process.poll() is None
    assert {health(grpcurl, address, name) for name in READINESS_NAMES} == {"NOT_SERVING"}
    assert health(grpcurl, address, LIVENESS_NAME) == "SERVING"
    assert server.stop() == 0
