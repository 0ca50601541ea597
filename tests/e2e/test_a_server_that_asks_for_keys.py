"""`MESHFLOW_AUTH=api_key` through every face, from `meshflow key new` on."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from meshflow_grpc.client import Client, Connection, MeshflowCallError
from tests.e2e.conftest import StartServer
from tests.fakes.log_keys import KEY


@pytest.mark.slow
def test_rest_and_grpc_take_the_key_and_nothing_goes_without(start_server: StartServer, tmp_path: Path) -> None:
    """The key reaches the server through Envoy; health needs none; the log holds no key."""
    command = [sys.executable, "-m", "meshflow_grpc", "key", "new", "ci", "--tenant", "acme", "--role", "operator"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60)
    key = made.stderr.split(": ")[1].strip()
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [json.loads(made.stdout)]}))
    environment = {
        "MESHFLOW_AUTH": "api_key",
        "MESHFLOW_API_KEYS_FILE": str(keys),
        "MESHFLOW_ENV": "production",
        "MESHFLOW_SIGNING_KEY": KEY.skey(),
    }
    server = start_server(tmp_path, **environment)

    assert server.get("/health").status_code == 200
    refused = server.post("/run", {"task": "x"})
    assert (refused.status_code, refused.json()["details"][0]["reason"]) == (401, "UNAUTHENTICATED")
    headers = {"authorization": f"Bearer {key}"}
    run = server.post("/run", {"task": "x"}, headers=headers).json()
    assert run["status"] == "completed"
    assert server.rows("SELECT DISTINCT tenant_id FROM ledger_entries") == [("acme",)]
    assert server.rows("SELECT principal_id FROM runs") == [("ci",)]
    with Client(Connection(server.url, token=key)) as client:
        assert client.get_run(run["run_id"]).status == "completed"
    with Client(server.url) as client, pytest.raises(MeshflowCallError) as denied:
        client.get_run(run["run_id"])
    assert denied.value.reason == "UNAUTHENTICATED"
    assert key not in json.dumps(server.log)


@pytest.mark.slow
@pytest.mark.parametrize("payload_key", ["", base64.b64encode(b"k" * 32).decode()], ids=["plain", "encrypted"])
def test_hipaa_in_production_needs_a_payload_key(start_server: StartServer, tmp_path: Path, payload_key: str) -> None:
    """Without one the run is denied and its request kept nowhere; with one it completes, and no file holds what was said."""
    command = [sys.executable, "-m", "meshflow_grpc", "key", "new", "ward", "--tenant", "acme", "--role", "operator"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [json.loads(made.stdout)]}))
    environment = {
        "MESHFLOW_AUTH": "api_key",
        "MESHFLOW_API_KEYS_FILE": str(keys),
        "MESHFLOW_ENV": "production",
        "MESHFLOW_SIGNING_KEY": KEY.skey(),
        "MESHFLOW_PAYLOAD_KEY": payload_key,
    }
    server = start_server(tmp_path, **environment)
    body = {"task": "the thoroughfare of Erika Mustermann", "policy": {"compliance": "hipaa"}}
    run = server.post("/run", body, headers={"authorization": f"Bearer {made.stderr.split(': ')[1].strip()}"}).json()

    assert run["status"] == ("completed" if payload_key else "blocked"), run
    if not payload_key:
        assert run["blocked_by"] == "compliance_profile"
        assert "ENCRYPTION_REQUIRED" in str(server.rows("SELECT record FROM ledger_entries"))
    server.stop()
    assert not [path for path in tmp_path.iterdir() if path.is_file() and b"thoroughfare" in path.read_bytes()]
    shown = [sys.executable, "-m", "meshflow_grpc", "ledger", "verify", "--db", str(server.ledger), "--tenant", "acme"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MESHFLOW_")}
    locked = subprocess.run(shown, capture_output=True, text=True, timeout=60, env=environment)
    opened = subprocess.run(
        shown, capture_output=True, text=True, timeout=60, env=environment | {"MESHFLOW_PAYLOAD_KEY": payload_key}
    )
    assert opened.returncode == 0, opened.stdout + opened.stderr
    assert locked.returncode == (2 if payload_key else 0)
    assert ("MESHFLOW_PAYLOAD_KEY" in locked.stderr) == bool(payload_key)


@pytest.mark.slow
def test_an_admin_erases_a_run_over_rest(start_server: StartServer, tmp_path: Path) -> None:
    """The texts are in no file of the ledger once the server has stopped; the run verifies and names the key's id."""
    command = [sys.executable, "-m", "meshflow_grpc", "key", "new", "dpo", "--tenant", "acme", "--role", "admin"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [json.loads(made.stdout)]}))
    server = start_server(tmp_path, MESHFLOW_AUTH="api_key", MESHFLOW_API_KEYS_FILE=str(keys))
    headers = {"authorization": f"Bearer {made.stderr.split(': ')[1].strip()}"}
    run_id = server.post("/run", {"task": "Erika Mustermann asks"}, headers=headers).json()["run_id"]

    erased = server.post(f"/v1/runs/{run_id}:erase", {"basis": "gdpr art. 17"}, headers=headers).json()
    assert (erased["sequence"], erased["payloads_erased"]) == (5, 6)
    verified = server.get(f"/v1/runs/{run_id}:verify", headers=headers).json()
    assert (verified["valid"], verified["erasures"][0]["principal_id"]) == (True, "dpo")
    server.stop()
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert not [path.name for path in files if b"Mustermann" in path.read_bytes()]
