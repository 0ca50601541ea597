"""`make audit`'s own command against a vulnerability database that the test runs."""

from __future__ import annotations

import http.server
import json
import re
import shlex
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from tools import licences

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
VULNERABLE = "idna"
FOUND = {
    "vulns": [
        {"id": "GHSA-test", "summary": "a defect", "affected": [{"package": {"name": VULNERABLE, "ecosystem": "PyPI"}}]}
    ]
}


@contextmanager
def _database(status: int, vulnerable: str) -> Iterator[tuple[str, set[str]]]:
    """Yields its address, and the names it was asked about."""
    asked: set[str] = set()

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            name = json.loads(self.rfile.read(int(self.headers["content-length"])))["package"]["name"]
            asked.add(name)
            body = json.dumps(FOUND if name == vulnerable else {}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
        server.shutdown()


def _audit(address: str, cache: Path) -> subprocess.CompletedProcess[str]:
    written = re.search(r"^\t@\$\(BIN\)/pip-audit (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert written is not None
    program = str(Path(sys.executable).with_name("pip-audit"))
    there = ["--vulnerability-service", "osv", "--osv-url", address, "--cache-dir", str(cache)]
    command = [program, *shlex.split(written[1]), *there, "--progress-spinner", "off"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


@pytest.mark.parametrize(
    ("status", "vulnerable", "code", "said"),
    [
        (200, "", 0, "No known vulnerabilities found"),
        (200, VULNERABLE, 1, "GHSA-test"),
        (503, "", 1, ""),
    ],
)
def test_a_vulnerability_and_a_silent_database_both_fail(
    tmp_path: Path, status: int, vulnerable: str, code: int, said: str
) -> None:
    """Every locked package is asked about; what cannot be asked is no clean bill."""
    with _database(status, vulnerable) as (address, asked):
        done = _audit(address, tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    assert status != 200 or asked == _installed_here()


def _installed_here() -> set[str]:
    """The locked packages but those of other platforms."""
    locked = [Requirement(line.rstrip("\\ ")) for line in licences.LOCK.read_text("utf-8").splitlines() if "==" in line]
    return {requirement.name for requirement in locked if requirement.marker is None or requirement.marker.evaluate()}
