"""A run that waits for a human outlives the process: kill -9, restart, approve over REST, done and verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import StartServer
from tests.unit.engine.gated import PUBLISH

BODY = {
    "task": "why tides exist",
    "workflow_yaml": PUBLISH,
    "policy": {"human_in_loop": {"enabled": True, "tier_threshold": "EXTERNAL_IO"}},
}


@pytest.mark.slow
def test_kill_9_while_waiting_and_right_after_the_decision(start_server: StartServer, tmp_path: Path) -> None:
    """The step is recorded once, whichever moment the process died."""
    server = start_server(tmp_path)
    run = server.post("/run", BODY).json()
    assert run["status"] == "paused"
    approval_id = run["pending_approval"]["approval_id"]
    server.kill()

    second = start_server(tmp_path, MESHFLOW_MOCK_LATENCY_MS="2000")
    assert [a["approval_id"] for a in second.get("/v1/approvals").json()["approvals"]] == [approval_id]
    shown = second.get(f"/v1/approvals/{approval_id}").json()
    decision = {"decision": "approve", "comment": "ok", "expected_action_digest": shown["action_digest"]}
    assert second.post(f"/v1/approvals/{approval_id}:decide", decision).json()["status"] == "approved"
    second.kill()

    third = start_server(tmp_path)
    done = third.get(f"/v1/runs/{run['run_id']}:wait", params={"timeout_s": 20}).json()
    assert done["status"] == "completed"
    assert third.get(f"/v1/runs/{run['run_id']}:verify").json()["valid"]
    committed = third.rows(
        "SELECT node_id FROM ledger_entries WHERE run_id = ? AND kind = 'step_committed' ORDER BY seq", run["run_id"]
    )
    assert committed == [("writer",), ("publisher",)]
    assert third.post(f"/v1/approvals/{approval_id}:decide", {"decision": "approve"}).status_code == 200
    refused = third.post(f"/v1/approvals/{approval_id}:decide", {"decision": "reject"})
    assert refused.status_code == 400
