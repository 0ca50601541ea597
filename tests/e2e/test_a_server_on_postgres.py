"""The server with its ledger in PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.postgres_cluster import postgres_cluster

if TYPE_CHECKING:
    from tests.e2e.conftest import MeshflowServer, StartServer
    from tests.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def test_runs_are_recorded_resumed_and_verified(
    postgres: PostgresCluster, start_server: StartServer, tmp_path: Path
) -> None:
    """The same promises as on a file: nothing lost after kill -9, and the offline verifier reads the database."""
    url = postgres.new_database()
    server = start_server(
        tmp_path, MESHFLOW_DATA_DIR=str(tmp_path), MESHFLOW_LEDGER_DB=url, MESHFLOW_MOCK_LATENCY_MS="300"
    )
    finished = server.post("/run", {"task": "why are there tides?"}).json()
    interrupted = server.post("/v1/runs", {"task": "x"}).json()["run_id"]
    server.kill()

    again = start_server(tmp_path, MESHFLOW_DATA_DIR=str(tmp_path), MESHFLOW_LEDGER_DB=url)
    assert again.get(f"/v1/runs/{interrupted}:wait", params={"timeout_s": 20}).json()["status"] == "completed"
    assert again.get(f"/v1/runs/{finished['run_id']}").json()["output"] == finished["output"]
    for run_id in (interrupted, finished["run_id"]):
        assert again.get(f"/v1/runs/{run_id}:verify").json()["valid"]
    command = [sys.executable, "-m", "meshflow_grpc", "ledger", "verify", interrupted]
    done = subprocess.run(
        command, env={**os.environ, "MESHFLOW_LEDGER_DB": url}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_readiness_follows_the_database(start_server: StartServer, tmp_path: Path) -> None:
    """Without it the process is alive and wants no traffic; both faces say so, and take it back by themselves."""
    with postgres_cluster() as own:
        url = own.new_database()
        server = start_server(tmp_path, MESHFLOW_DATA_DIR=str(tmp_path), MESHFLOW_LEDGER_DB=url)
        assert server.get("/readyz").status_code == 200
        own.stop()
        refused = _until(server, 503)
        assert refused["message"] == "the ledger cannot be reached"
        assert server.get("/healthz").status_code == 200
        own.start()
        assert _until(server, 200) == {"status": "ready"}
        run = server.post("/run", {"task": "after the outage"}).json()
        assert run.get("status") == "completed", (run, server.log[-8:])
        assert server.stop() == 0


def _until(server: MeshflowServer, status: int) -> dict[str, Any]:
    """Asks /readyz until it answers so."""
    deadline = time.monotonic() + 60
    while (answer := server.get("/readyz")).status_code != status:
        assert time.monotonic() < deadline, answer.text
    body: dict[str, Any] = answer.json()
    return body
