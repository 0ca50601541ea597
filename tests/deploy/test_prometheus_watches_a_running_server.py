"""A real Prometheus with the committed configuration and rules, scraping a real server."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.e2e.conftest import MeshflowServer, StartServer, start_server
from tests.free_ports import free_port
from tools.check_deploy import MONITORING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["start_server"]
WAIT_S = 60


@contextmanager
def _prometheus(directory: Path, target: str) -> Iterator[str]:
    """Yields the address of one that scrapes the target; the intervals alone are shorter than the committed ones."""
    program = shutil.which("prometheus")
    if program is None:
        reason = "no Prometheus on this machine; install prometheus to run these tests"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    configuration = yaml.safe_load((MONITORING / "prometheus.yaml").read_text("utf-8"))
    configuration["global"] = dict.fromkeys(configuration["global"], "500ms")
    rules = yaml.safe_load((MONITORING / "prometheus-rule.yaml").read_text("utf-8"))["spec"]
    (directory / "prometheus.yaml").write_text(json.dumps(configuration))
    (directory / "rules.yaml").write_text(json.dumps(rules))
    (directory / "targets").mkdir()
    (directory / "targets" / "meshflow.yaml").write_text(json.dumps([{"targets": [target]}]))
    address = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={directory}/prometheus.yaml", f"--storage.tsdb.path={directory}/data"]
    with (directory / "log").open("w") as log:
        process = subprocess.Popen([program, *options, f"--web.listen-address={address}"], stderr=log)
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(timeout=60)


def _query(prometheus: str, expression: str) -> list[dict[str, Any]]:
    try:
        answer = httpx.get(
            f"{prometheus}/api/v1/query", params={"query": expression}, timeout=WAIT_S
        ).raise_for_status()
    except httpx.HTTPError:  # it is only starting
        return []
    found: list[dict[str, Any]] = answer.json().get("data", {}).get("result", [])
    return found


def _wait_for(prometheus: str, expression: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + WAIT_S
    while not (found := _query(prometheus, expression)):
        assert time.monotonic() < deadline, f"{expression} has no value after {WAIT_S} s"
    return found


def _tamper(server: MeshflowServer, run_id: str) -> None:
    with closing(sqlite3.connect(server.ledger)) as connection:
        connection.execute("UPDATE ledger_entries SET output = 'other' WHERE run_id = ? AND sequence = 2", (run_id,))
        connection.commit()


@pytest.mark.slow
def test_the_first_tampering_that_is_found_fires_the_alert(start_server: StartServer, tmp_path: Path) -> None:
    """From one changed byte in the ledger to a firing alert with its runbook, and none that is unfounded beside it."""
    server = start_server()
    run_id = server.post("/run", {"task": "x"}).json()["run_id"]
    (line,) = [entry for entry in server.log if entry["event"] == "serving_metrics"]
    target = line["address"].removeprefix("http://").removesuffix("/metrics")
    with _prometheus(tmp_path, target) as prometheus:
        _wait_for(prometheus, 'meshflow_ledger_verifications_total{result="tampered"} == 0')
        _wait_for(prometheus, "sum(meshflow_runs_ended_total) == 1")
        _tamper(server, run_id)
        assert server.get(f"/v1/runs/{run_id}:verify").json()["valid"] is False
        (firing,) = _wait_for(prometheus, 'ALERTS{alertstate="firing"}')
        assert firing["metric"]["alertname"] == "MeshflowLedgerTampered"
        alerts = httpx.get(f"{prometheus}/api/v1/alerts", timeout=WAIT_S).json()["data"]["alerts"]
        assert alerts[0]["annotations"]["runbook_url"].endswith("#meshflowledgertampered")
