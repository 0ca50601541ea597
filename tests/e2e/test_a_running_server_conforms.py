"""`meshflow conformance` against the real server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.e2e.conftest import MeshflowServer


@pytest.mark.parametrize("kind", ["grpc", "rest"])
def test_every_level_passes(server: MeshflowServer, kind: str) -> None:
    """Through Envoy, on a ledger file."""
    command = [sys.executable, "-m", "meshflow_grpc", "conformance", kind, "--level", "5", "--target", server.url]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "FAIL" not in outcome.stdout
    assert "entries_are_in_the_signed_log" in outcome.stdout
