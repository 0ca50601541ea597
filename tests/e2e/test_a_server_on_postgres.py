"""The server with its ledger in PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import StartServer
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
