"""The signed log of the real server: over REST while it runs, offline when it is gone, whole after kill -9."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

from meshflow_grpc.ledger.checkpoint import open_checkpoint
from meshflow_grpc.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from meshflow_grpc.ledger.note_key import VerifierKey
from tests.e2e.conftest import MeshflowServer, StartServer


def meshflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of its own."""
    return subprocess.run([sys.executable, "-m", "meshflow_grpc", *arguments], capture_output=True, text=True)


def run(server: MeshflowServer, task: str) -> str:
    """Runs a task to its end."""
    answer = server.post("/run", {"task": task})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["run_id"])


def test_the_log_of_a_real_server(start_server: StartServer, tmp_path: Path) -> None:
    """Head, proofs, kill -9, restart, verification with a kept head, and a bundle that an auditor verifies."""
    server = start_server(tmp_path, MESHFLOW_ANCHOR_FILE=str(tmp_path / "heads"))
    first = run(server, "the first")
    head = server.get("/v1/log/head").json()["head"]
    (tmp_path / "keys").write_text("\n".join(head["keys"]))
    (tmp_path / "kept").write_text(head["checkpoint"], encoding="utf-8")
    keys = [VerifierKey.parse(vkey) for vkey in head["keys"]]
    signed = open_checkpoint(head["checkpoint"], keys).checkpoint
    assert (str(signed.size), signed.origin) == (head["size"], head["origin"])
    entry = server.get(f"/v1/runs/{first}/entries").json()["entries"][1]
    proof = server.get("/v1/log/inclusion", params={"run_id": first, "sequence": 2}).json()["proof"]
    hashes = [base64.b64decode(value) for value in proof["hashes"]]
    verify_inclusion(leaf_hash(entry["record"].encode()), int(entry["seq"]) - 1, signed.size, hashes, signed.root)
    missing = server.get("/v1/log/inclusion", params={"run_id": "run_none", "sequence": 1})
    assert missing.status_code == 404, missing.text

    run(server, "the second")
    server.kill()
    server = start_server(tmp_path, MESHFLOW_ANCHOR_FILE=str(tmp_path / "heads"))
    third = run(server, "the third")
    grown = server.get("/v1/log/consistency", params={"first": signed.size}).json()["proof"]
    newest = open_checkpoint(grown["checkpoint"], keys).checkpoint
    hashes = [base64.b64decode(value) for value in grown["hashes"]]
    verify_consistency(signed.size, newest.size, hashes, signed.root, newest.root)
    assert server.stop() == 0

    db, trust = ("--db", str(server.ledger)), ("--trust", str(tmp_path / "keys"))
    verified = meshflow("ledger", "verify", *db, *trust, "--head", str(tmp_path / "kept"))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "signatures verified" in verified.stdout
    assert "not yet under a head" not in verified.stdout
    bundle = str(tmp_path / "bundle.tar")
    written = meshflow("ledger", "evidence", first, third, "--out", bundle, *db, *trust)
    assert written.returncode == 0, written.stderr
    audited = meshflow("audit", "verify", bundle, *trust, "--run", first, "--run", third)
    assert audited.returncode == 0, audited.stdout + audited.stderr


def test_a_rolled_back_ledger_does_not_start(start_server: StartServer, tmp_path: Path) -> None:
    """The server refuses an older copy of its ledger when the anchor knows a newer head, and says why."""
    server = start_server(tmp_path, MESHFLOW_ANCHOR_FILE=str(tmp_path / "heads"))
    run(server, "the first")
    assert server.stop() == 0
    old = server.ledger.read_bytes()
    server = start_server(tmp_path, MESHFLOW_ANCHOR_FILE=str(tmp_path / "heads"))
    run(server, "the second")
    assert server.stop() == 0
    server.ledger.write_bytes(old)
    environment = {"MESHFLOW_MOCK": "1", "MESHFLOW_LEDGER_DB": str(server.ledger)}
    refused = subprocess.run(
        [sys.executable, "-m", "meshflow_grpc", "serve", "--port", "0"],
        env={**environment, "MESHFLOW_ANCHOR_FILE": str(tmp_path / "heads")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert refused.returncode == 5
    assert "rollback detected" in refused.stderr
