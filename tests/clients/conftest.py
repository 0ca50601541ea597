"""The real server for the clients' own test suites, and the toolchains that run them."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.e2e.conftest import server, start_server

__all__ = ["server", "start_server"]


def program(name: str) -> str:
    """Returns the path of a program; without it the test is skipped, and fails in CI."""
    found = shutil.which(name)
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not on PATH; CI must test every client")
    pytest.skip(f"{name} is not on PATH")
