"""The server behind Envoy, against thousands of requests made from its own OpenAPI document, valid and not, in under a minute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from meshflow_grpc.rpc.authenticators.api_key import new_api_key
from tests.e2e.conftest import MeshflowServer, StartServer

HERE = Path(__file__).parent
KEY, ENTRY = new_api_key("fuzz", "acme", ("operator", "approver", "admin"), lambda size: "5a" * size)
AUTHORIZATION = {"authorization": f"Bearer {KEY}"}
GATED = {"human_in_loop": {"enabled": True, "tier_threshold": "internal"}}
WORKFLOW = """\
name: fuzzed
version: "1"
entry: writer
nodes:
  writer: {role: EXECUTOR, system: "Write three sentences."}
"""


def things_that_are_there(server: MeshflowServer) -> dict[str, str]:
    """Runs, an approval that waits, and a workflow."""
    run = server.post("/run", {"task": "Summarise the plan."}, headers=AUTHORIZATION).json()
    erased = server.post("/run", {"task": "Summarise the plan."}, headers=AUTHORIZATION).json()
    waiting = server.post("/run", {"task": "Summarise the plan.", "policy": GATED}, headers=AUTHORIZATION).json()
    workflow = server.post("/v1/workflows", {"yaml": WORKFLOW}, headers=AUTHORIZATION).json()
    return {
        "FUZZ_RUN_ID": run["run_id"],
        "FUZZ_ERASED_RUN_ID": erased["run_id"],
        "FUZZ_APPROVAL_ID": waiting["pending_approval"]["approval_id"],
        "FUZZ_WORKFLOW": workflow["name"],
    }


@pytest.mark.slow
@pytest.mark.envoy
@pytest.mark.timeout(600)
def test_every_answer_is_one_that_the_document_promises(start_server: StartServer, tmp_path: Path) -> None:
    """No 5xx, every answer in its schema, what the schema refuses refused, nothing without a credential; the log has no defect."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [ENTRY]}))
    server = start_server(tmp_path, MESHFLOW_AUTH="api_key", MESHFLOW_API_KEYS_FILE=str(keys))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"),
        *(f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {KEY}", "--no-color"),
    ]
    environment = os.environ | things_that_are_there(server) | {"PYTHONPATH": str(HERE.parents[1])}
    fuzzed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=580)

    assert fuzzed.returncode == 0, fuzzed.stdout[-20_000:] + fuzzed.stderr[-2_000:]
    assert "Selected: 0" not in fuzzed.stdout
    assert [line for line in server.log if line["event"] == "internal_error"] == []
    assert KEY not in json.dumps(server.log)
    assert server.stop() == 0
