"""The clients' generated code is what proto/ says today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.clients.conftest import program

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_committed_is_stale() -> None:
    """tools/generate_clients.py --check finds no file missing, left over or different."""
    for name in ("go", "npm"):
        program(name)
    command = [sys.executable, "tools/generate_clients.py", "--check"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)

    assert finished.returncode == 0, finished.stdout + finished.stderr
