"""A server whose operator demands more than requests ask for: `MESHFLOW_ZT_TIER` and `MESHFLOW_ZT_REGULATION`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import MeshflowServer, StartServer

TASK = "tides"


@pytest.fixture(scope="module")
def strict(start_server: StartServer) -> MeshflowServer:
    """Every run is held to sox, in mode regulated or stricter."""
    return start_server(MESHFLOW_ZT_TIER="enterprise", MESHFLOW_ZT_REGULATION="sox")


def test_every_run_is_raised_and_less_is_refused_by_name(strict: MeshflowServer) -> None:
    """Over REST: what nobody set is raised, what asks for less is a 400 naming the field."""
    run = strict.post("/run", {"task": TASK}).json()
    refused = strict.post("/run", {"task": TASK, "policy": {"mode": "dev", "scrub_pii": False}})

    assert (run["status"], run["effective_policy"]["mode"]) == ("completed", "regulated")
    assert (run["effective_policy"]["compliance"], run["effective_policy"]["immutable_audit"]) == ("sox", True)
    assert refused.status_code == 400
    assert "POLICY_FLOOR_VIOLATED" in refused.text
    assert "policy.mode: dev is below the floor of tier enterprise (MESHFLOW_ZT_TIER)" in refused.json()["message"]
    assert "policy.scrub_pii: false is below the floor of mode regulated" in refused.json()["message"]


def test_the_report_reads_the_ledger_beside_the_server(strict: MeshflowServer) -> None:
    """On a server without authentication the caller is nobody, and nobody approved what ran: that fails, and nothing else."""
    run_id = strict.post("/run", {"task": TASK}).json()["run_id"]
    command = [sys.executable, "-m", "meshflow_grpc", "compliance", "report", run_id, "--format", "json"]
    finished = subprocess.run(
        [*command, "--db", str(strict.ledger)], capture_output=True, text=True, check=False, timeout=60
    )
    report = json.loads(finished.stdout)

    assert finished.returncode == 1
    assert report["chain"]["valid"]
    assert [c["id"] for c in report["controls"] if c["finding"] == "fail"] == ["sox.identity", "sox.approved_changes"]
