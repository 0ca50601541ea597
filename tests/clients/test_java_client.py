"""The Java client against the real server."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import program
from tests.e2e.conftest import MeshflowServer

CLIENT = Path(__file__).resolve().parents[2] / "clients/java"
SUMMARY = re.compile(
    r'<testsuite [^>]*name="(?P<name>[^"]+)"[^>]* tests="(?P<tests>\d+)"[^>]* skipped="(?P<skipped>\d+)"'
)
# A cold machine first downloads what the build needs.
TIMEOUT_S = 280
pytestmark = pytest.mark.timeout(TIMEOUT_S + 20)


def run(server: MeshflowServer, *command: str) -> str:
    """Runs a command that must succeed; returns what it printed."""
    environment = {**os.environ, "MESHFLOW_TEST_ADDRESS": server.url}
    finished = subprocess.run(
        command, cwd=CLIENT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


@pytest.fixture(scope="module", autouse=True)
def _verified(server: MeshflowServer) -> None:
    """One build for all tests of this module: locked dependencies, the client's own suite, Javadoc, the packages."""
    version = re.search(r'version "(\d+)', run(server, program("java"), "-version"))
    if version is None or int(version[1]) < 17:
        pytest.skip("java is older than 17")
    program("javac")
    reports = CLIENT / "target/surefire-reports"
    for report in reports.glob("*.xml"):
        report.unlink()
    run(server, program("mvn"), "-q", "-B", "-ntp", "package", "javadoc:javadoc")


def test_its_own_suite_passes() -> None:
    """Every test passed, those against the real server included, and none was skipped."""
    reports = [path.read_text() for path in (CLIENT / "target/surefire-reports").glob("*.xml")]
    suites = {found["name"]: found for report in reports if (found := SUMMARY.search(report))}

    assert {name.rpartition(".")[2] for name in suites} == {
        "CallsTest",
        "EventsTest",
        "MutualTlsTest",
        "RealServerTest",
    }
    assert all(int(suite["tests"]) > 0 and suite["skipped"] == "0" for suite in suites.values())


def test_the_example_follows_a_run_to_its_verified_end(server: MeshflowServer) -> None:
    """What the README shows works as typed."""
    class_path = "target/meshflow-client-0.1.0.jar:target/dependency/*"
    output = run(server, program("java"), "-cp", class_path, "examples/Watch.java", server.url, "hello")

    assert re.search(r"run_completed.*\nrun_\S+: 4 entries, valid: true\n$", output), output


def test_dependencies_are_the_locked_ones() -> None:
    """The jars on a user's class path are those of dependencies.sha256, byte for byte; none more, none fewer."""
    used = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (CLIENT / "target/dependency").iterdir()
    }
    lines = (CLIENT / "dependencies.sha256").read_text().splitlines()
    locked = {name: digest for digest, name in (line.split("  ") for line in lines)}

    assert used == locked
