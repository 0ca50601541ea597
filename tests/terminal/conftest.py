"""The real server, and grpcurl as its own module builds it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import start_server

__all__ = ["start_server"]

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/terminal.md"


def refuse_or_skip(why: str) -> None:
    """Ends a test that cannot be run here: a failure in CI, a skip with the reason elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why}; CI must test this")
    pytest.skip(why)


@pytest.fixture(scope="session")
def grpcurl() -> Path:
    """The version that the guide names, built once into build/."""
    go = shutil.which("go")
    if go is None:
        refuse_or_skip("go is not on PATH, so there is no grpcurl")
    named = re.search(r"go install (\S+/grpcurl@(v\S+))$", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert named is not None
    directory = ROOT / "build/grpcurl" / named[2]
    if not (directory / "grpcurl").exists():
        environment = {**os.environ, "GOBIN": str(directory)}
        done = subprocess.run(
            [str(go), "install", named[1]], env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
    return directory / "grpcurl"
