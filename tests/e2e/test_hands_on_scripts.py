"""The scripts of the lessons run as the lessons say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_http_runtime_shows_six_demos() -> None:
    """With whatever python3 there is: it finds the project's own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MESHFLOW_", "ANTHROPIC_", "VIRTUAL_ENV"))}
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
    if not (ROOT / ".venv" / "bin" / "python").exists():
        python = sys.executable
    command = [python, "hands_on/20_http_runtime.py"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, env={**environment, "MESHFLOW_MOCK": "1"}
    )

    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line.startswith("Demo ")] == [
        f"Demo {n}" for n in range(1, 7)
    ]
    assert '"ok": true' in done.stdout or "ok: true" in done.stdout
    assert "blocked_by" in done.stdout
    assert done.stdout.count("valid=True") == 9
