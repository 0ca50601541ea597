"""The clients' generated code is what proto/ says today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import program

ROOT = Path(__file__).resolve().parents[2]
# A cold machine first downloads and builds the plugins.
TIMEOUT_S = 280


@pytest.mark.timeout(TIMEOUT_S + 20)
def test_nothing_committed_is_stale() -> None:
    """tools/generate_clients.py --check finds no file missing, left over or different."""
    for name in ("go", "npm", "mvn"):
        program(name)
    command = [sys.executable, "tools/generate_clients.py", "--check"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

    assert finished.returncode == 0, finished.stdout + finished.stderr
