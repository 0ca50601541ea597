"""`make mesh-demo` does what its README says, and ends with 0."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_nodes_one_killed() -> None:
    """The failover, the breaker's way through its states, and three ledgers that verify."""
    command = [sys.executable, "examples/mesh/demo.py"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=580)

    assert done.returncode == 0, done.stdout + done.stderr
    builders = [line.rpartition(" ")[2] for line in done.stdout.splitlines() if "built by" in line]
    assert builders == ["marco.ai", "marco.ai", "marco.ai", "build.ai"]
    told = [line.split()[1] for line in done.stdout.splitlines() if " mesh_breaker_" in line]
    assert told == ["mesh_breaker_opened", "mesh_breaker_half_open", "mesh_breaker_closed"]
    assert " mesh_node_recovered " in done.stdout
    assert done.stdout.count("log: valid") == 3
    assert "make mesh-demo" in (REPOSITORY / "examples/mesh/README.md").read_text("utf-8")
    assert "python examples/mesh/demo.py" in (REPOSITORY / "Makefile").read_text("utf-8")
