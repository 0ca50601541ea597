"""examples/browser in headless Chromium against the real server: events live, kill -9 and restart, reload, gates, errors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import program

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "examples/browser"
CLIENT = ROOT / "clients/typescript"


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Runs a command that must succeed; returns what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MESHFLOW_", "ANTHROPIC_"))}
    done = subprocess.run(command, cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def chromium() -> str:
    """Returns the path of Chromium under any of its names; without it the test is skipped, and fails in CI."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, found), None) or program("chromium")


@pytest.mark.slow
def test_the_page_passes_its_own_tests() -> None:
    """As its README says: install, build, npm test; none skipped."""
    npm, browser = program("npm"), chromium()
    if not (CLIENT / "node_modules/.bin/tsc").exists():
        run(npm, "ci", "--no-audit", "--no-fund", cwd=CLIENT)
    run(npm, "run", "build", cwd=CLIENT)
    if not (PAGE / "node_modules/.bin/esbuild").exists():
        run(npm, "ci", "--no-audit", "--no-fund", cwd=PAGE)
    run(npm, "run", "build", cwd=PAGE)
    meshflow = str(Path(sys.executable).parent / "meshflow")
    output = run(npm, "test", cwd=PAGE, MESHFLOW=meshflow, CHROMIUM=browser)

    assert re.search(r"^# pass [4-9]$", output, re.MULTILINE), output
    assert re.search(r"^# skipped 0$", output, re.MULTILINE), output
