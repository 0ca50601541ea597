"""An upgrade with live data: this server takes over a ledger that the version before wrote, runs in flight included."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import MeshflowServer, StartServer, start_server

HERE = Path(__file__).parent
BEFORE = HERE / "ledger_of_schema_4.sql"
VKEY = HERE / "ledger_of_schema_4.vkey"
RUNS = {"completed": 2, "paused": 1, "running": 1}

__all__ = ["start_server"]


@pytest.fixture
def upgraded(start_server: StartServer, tmp_path: Path) -> MeshflowServer:
    """This version on the old ledger, with a key of its own that takes over from the old one."""
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript(BEFORE.read_text("utf-8"))
        found = dict(connection.execute("SELECT status, count(*) FROM runs GROUP BY status"))
    assert found == RUNS
    vkey = VKEY.read_text("utf-8").strip()
    return start_server(tmp_path, MESHFLOW_PREVIOUS_SIGNING_KEY=vkey, MESHFLOW_LOG_ORIGIN=vkey.partition("+")[0])


@pytest.mark.slow
def test_every_run_of_the_version_before_verifies_and_goes_on(upgraded: MeshflowServer) -> None:
    """Finished runs verify; the one left running completes; the one that waits is approved and completes."""
    (migrated,) = [line for line in upgraded.log if line["event"] == "schema_migrated"]
    assert migrated["from_version"] == 4
    runs = upgraded.get("/v1/runs").json()["runs"]
    assert len(runs) == sum(RUNS.values())
    (waiting,) = [run["run_id"] for run in runs if run["status"] == "paused"]
    paused = upgraded.get(f"/v1/runs/{waiting}").json()
    approval = paused["pending_approval"]["approval_id"]
    assert upgraded.post(f"/v1/approvals/{approval}:decide", {"decision": "approve"}).status_code == 200
    for run in runs:
        done = upgraded.get(f"/v1/runs/{run['run_id']}:wait", params={"timeout_s": 30}).json()
        assert done["status"] == "completed", done
        verified = upgraded.get(f"/v1/runs/{run['run_id']}:verify").json()
        assert verified["valid"], verified


@pytest.mark.slow
def test_the_old_heads_stay_believed_and_new_ones_follow(upgraded: MeshflowServer) -> None:
    """The log grows from where the version before signed it; nothing is rewritten."""
    before = upgraded.rows("SELECT size FROM checkpoints ORDER BY size LIMIT 1")
    upgraded.post("/run", {"task": "after the upgrade"})
    assert upgraded.stop() == 0
    after = upgraded.rows("SELECT size FROM checkpoints ORDER BY size DESC LIMIT 1")
    assert after[0][0] > before[0][0]


@pytest.mark.slow
def test_the_immutable_run_of_the_version_before_stays_so(upgraded: MeshflowServer, tmp_path: Path) -> None:
    """The new version drops no trigger."""
    upgraded.stop()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        (run_id,) = connection.execute(
            "SELECT run_id FROM runs WHERE policy LIKE '%\"immutable_audit\":true%'"
        ).fetchone()
        with pytest.raises(sqlite3.IntegrityError, match="immutable"):
            connection.execute("DELETE FROM ledger_entries WHERE run_id = ?", (run_id,))
