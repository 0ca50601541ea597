"""gRPC, gRPC-Web, reflection and the command line against the public port; `--no-envoy` and the refusal to start twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest, RunResponse
from meshflow_grpc.client import Client, MeshflowCallError
from tests.e2e.conftest import MeshflowServer, StartServer

BUF = Path(sys.executable).with_name("buf")


def buf_curl(server: MeshflowServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`buf curl` over gRPC, by reflection."""
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def meshflow(server: MeshflowServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, as a user calls it."""
    environment = {**os.environ, "MESHFLOW_ADDRESS": server.url, "MESHFLOW_LEDGER_DB": str(server.ledger)}
    command = [sys.executable, "-m", "meshflow_grpc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_the_client_library_runs_and_streams(server: MeshflowServer) -> None:
    """gRPC through Envoy."""
    with Client(server.url) as client:
        assert client.run("why are there tides?").status == "completed"
        assert [e.event_type for e in client.stream_run("x")][-1] == "run_completed"
        with pytest.raises(MeshflowCallError) as refused:
            client.get_run("run_x")
        assert refused.value.reason == "RUN_NOT_FOUND"


def test_grpc_web_is_spoken_on_the_same_port(server: MeshflowServer) -> None:
    """One framed message there and back, as a browser sends it."""
    message = RunRequest(task="x").SerializeToString()
    response = httpx.post(
        f"{server.url}/meshflow.v1.RunService/Run",
        content=b"\0" + len(message).to_bytes(4, "big") + message,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
        timeout=60,
    )

    assert response.status_code == 200
    size = int.from_bytes(response.content[1:5], "big")
    assert RunResponse.FromString(response.content[5 : 5 + size]).status == "completed"
    assert b"grpc-status:0" in response.content[5 + size :].replace(b" ", b"").lower()


def test_reflection_serves_terminals(server: MeshflowServer) -> None:
    """List, call, stream, and error details one can read."""
    listed = buf_curl(server, "--list-services", server.url)
    assert "meshflow.v1.RunService" in listed.stdout, listed.stderr
    run = buf_curl(server, "-d", '{"task":"hi"}', f"{server.url}/meshflow.v1.RunService/Run")
    assert json.loads(run.stdout)["status"] == "completed"
    stream = buf_curl(server, "-d", '{"task":"hi"}', f"{server.url}/meshflow.v1.RunService/StreamRun")
    assert "run_completed" in stream.stdout
    failed = buf_curl(server, "-d", "{}", f"{server.url}/meshflow.v1.RunService/Run")
    assert failed.returncode != 0
    assert "either task" in failed.stderr


def test_the_command_line_runs_watches_verifies(server: MeshflowServer) -> None:
    """Exit codes and data on stdout."""
    created = meshflow(server, "run", "create", "why are there tides?", "-o", "json")
    assert created.returncode == 0, created.stderr
    run_id = json.loads(created.stdout)["run_id"]
    assert json.loads(meshflow(server, "run", "get", run_id, "-o", "json").stdout)["status"] == "completed"
    assert meshflow(server, "ledger", "verify", run_id).returncode == 0
    assert meshflow(server, "ledger", "verify", "run_x").returncode == 6
    assert meshflow(server, "run", "create", "x", "--set", "policy.budget_usd=0").returncode == 1
    assert meshflow(server, "run", "check", "x", "--set", "policy.budget_usd=0").returncode == 3
    assert meshflow(server, "run", "create").returncode == 2


def test_tampering_is_named_by_the_verifier(server: MeshflowServer, tmp_path: Path) -> None:
    """An output changed with SQL in a copy of the ledger."""
    import sqlite3

    run_id = server.post("/run", {"task": "x"}).json()["run_id"]
    copy = tmp_path / "copy.db"
    with sqlite3.connect(server.ledger) as source, sqlite3.connect(copy) as target:
        source.backup(target)
        target.execute(
            """UPDATE ledger_entries SET output = '{"tampered": true}' WHERE run_id = ? AND sequence = 2""", (run_id,)
        )
    environment = {**os.environ, "MESHFLOW_LEDGER_DB": str(copy)}
    command = [sys.executable, "-m", "meshflow_grpc", "ledger", "verify", run_id]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)

    assert done.returncode == 6
    assert "researcher" in done.stdout + done.stderr
    assert "output" in done.stdout + done.stderr


@pytest.mark.slow
def test_without_envoy_the_port_speaks_grpc(start_server: StartServer) -> None:
    """The sidecar layout."""
    server = start_server(None, "--no-envoy", "--grpc-port", "0")
    address = server.url.split(" ")[0]
    with Client(address) as client:
        assert client.run("x").status == "completed"
    assert server.stop() == 0


@pytest.mark.slow
def test_a_second_server_on_the_same_port_or_ledger_is_refused(server: MeshflowServer) -> None:
    """In one line that says why, exit code 5."""
    environment = {**os.environ, "MESHFLOW_MOCK": "1"}
    port = server.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "meshflow_grpc", "serve", "--port"]
    same_port = {**environment, "MESHFLOW_LEDGER_DB": str(server.ledger.with_name("other.db"))}
    taken = subprocess.run([*command, port], capture_output=True, text=True, timeout=60, env=same_port)
    assert taken.returncode == 5
    assert "Traceback" not in taken.stderr
    same_ledger = {**environment, "MESHFLOW_LEDGER_DB": str(server.ledger)}
    locked = subprocess.run([*command, "0"], capture_output=True, text=True, timeout=60, env=same_ledger)
    assert locked.returncode == 5
    assert "Traceback" not in locked.stderr


@pytest.mark.slow
def test_the_demonstration_ends_well(tmp_path: Path) -> None:
    """What `make run ARGS=--once` does."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MESHFLOW_", "ANTHROPIC_"))}
    command = [sys.executable, "-m", "meshflow_grpc.cli.demo", "--once"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=280, env={**kept, "MESHFLOW_DATA_DIR": str(tmp_path)}
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("valid") >= 3
    assert shutil.which("curl") is None or "curl" in done.stdout
