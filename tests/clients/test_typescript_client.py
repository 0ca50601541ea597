"""The TypeScript client against the real server: native gRPC, gRPC-Web and SSE."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import program
from tests.e2e.conftest import MeshflowServer

CLIENT = Path(__file__).resolve().parents[2] / "clients/typescript"


def run(server: MeshflowServer, *command: str) -> str:
    """Runs a command that must succeed; returns what it printed."""
    environment = {**os.environ, "MESHFLOW_TEST_ADDRESS": server.url}
    finished = subprocess.run(
        command, cwd=CLIENT, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module", autouse=True)
def _built(server: MeshflowServer) -> None:
    node, npm = program("node"), program("npm")
    if int(run(server, node, "--version").removeprefix("v").partition(".")[0]) < 20:
        pytest.skip("node is older than 20")
    if not (CLIENT / "node_modules/.bin/tsc").exists():
        run(server, npm, "ci", "--no-audit", "--no-fund")
    run(server, npm, "run", "build")


def test_its_own_suite_passes(server: MeshflowServer) -> None:
    """tsc is silent, every test passes and none is skipped."""
    output = run(server, program("node"), "--test", "dist/test/")

    assert re.search(r"^# fail 0$", output, re.MULTILINE), output
    assert re.search(r"^# skipped 0$", output, re.MULTILINE), output


def test_the_example_follows_a_run_to_its_verified_end(server: MeshflowServer) -> None:
    """What the README shows works as typed."""
    output = run(server, program("node"), "examples/watch.mjs", server.url, "hello")

    assert re.search(r"run_completed.*\nrun_\S+: 4 entries, valid: true\n$", output), output
