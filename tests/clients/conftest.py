"""The real server for the clients' own test suites, and the toolchains that run them."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.e2e.conftest import MeshflowServer, StartServer, start_server

__all__ = ["start_server"]


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> MeshflowServer:
    """One server for the tests of a module, a mesh of its own."""
    return start_server(None, MESHFLOW_MESH_SLUG="build.ai", MESHFLOW_MESH_CONCERNS="build:10")


def program(name: str) -> str:
    """Returns the path of a program; without it the test is skipped, and fails in CI."""
    found = shutil.which(name)
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not on PATH; CI must test every client")
    pytest.skip(f"{name} is not on PATH")
