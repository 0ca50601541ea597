"""The Go client against the real server."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.clients.conftest import program
from tests.e2e.conftest import MeshflowServer

CLIENT = Path(__file__).resolve().parents[2] / "clients/go"


def go(server: MeshflowServer, *arguments: str) -> str:
    """Runs a go command that must succeed; returns what it printed."""
    environment = {**os.environ, "MESHFLOW_TEST_ADDRESS": server.url}
    finished = subprocess.run(
        [program("go"), *arguments],
        cwd=CLIENT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_its_own_suite_passes(server: MeshflowServer) -> None:
    """Vet is silent, every test passes and none is skipped."""
    go(server, "vet", "./...")
    output = go(server, "test", "-count=1", "-v", "./...")

    assert "--- PASS: TestRealRun" in output
    assert "--- PASS: TestRealEvidence" in output
    assert "--- SKIP" not in output


def test_the_example_follows_a_run_to_its_verified_end(server: MeshflowServer) -> None:
    """What the README shows works as typed."""
    output = go(server, "run", "./examples/watch", "-address", server.url, "hello")

    assert re.search(r"run_completed.*\nrun_\S+: 4 entries, valid: true\n$", output), output


def test_the_example_verifies_a_run_without_trusting_the_server(server: MeshflowServer, tmp_path: Path) -> None:
    """With the log's key, and again with the head it kept."""
    run = server.post("/run", {"task": "hello"}).json()
    head = server.get("/v1/log/head").json()["head"]
    kept = tmp_path / "head.txt"
    known = ("-address", server.url, "-origin", head["origin"], "-kept", str(kept))
    for _ in range(2):
        output = go(server, "run", "./examples/verify", *known, "-key", head["keys"][0], run["run_id"])
        assert re.fullmatch(r"run_\S+: 4 entries under the head of \d+, ended: true\n", output), output
    assert kept.read_text().startswith(head["origin"])
