"""The real server as its users start it: `meshflow serve`, Envoy included, on the offline model."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

START_TIMEOUT_S = 90
TIMEOUT_S = 120
# Reading the system's authorities anew for each request would take longer than the request; this context trusts none.
TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class MeshflowServer:
    """A server process: its address, its ledger, and its log so far."""

    process: subprocess.Popen[str]
    url: str
    ledger: Path
    log: list[dict[str, Any]] = field(default_factory=list)
    reader: threading.Thread | None = None

    def post(self, path: str, body: object, **options: Any) -> httpx.Response:
        """POSTs JSON."""
        return httpx.post(f"{self.url}{path}", json=body, **{"timeout": TIMEOUT_S, "verify": TRUSTS_NOBODY, **options})

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GETs."""
        return httpx.get(f"{self.url}{path}", **{"timeout": TIMEOUT_S, "verify": TRUSTS_NOBODY, **options})

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Reads the ledger file as an auditor would."""
        connection = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self._wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def _wait(self) -> int:
        code = self.process.wait(timeout=60)
        assert self.reader is not None
        self.reader.join()
        return code


StartServer = Callable[..., MeshflowServer]


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts servers; stops them in the end."""
    started: list[MeshflowServer] = []

    def start(directory: Path | None = None, *options: str, **environment: str) -> MeshflowServer:
        directory = directory or tmp_path_factory.mktemp("server")
        server = started_server(directory, options, environment)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


def started_server(
    directory: Path, options: tuple[str, ...], environment: dict[str, str], within: tuple[str, ...] = ()
) -> MeshflowServer:
    """A server once it serves; ``within`` is the command that it is started by, if any. Whoever starts it stops it."""
    ledger = directory / "ledger.db"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MESHFLOW_", "ANTHROPIC_"))}
    process = subprocess.Popen(
        [*within, sys.executable, "-m", "meshflow_grpc", "serve", "--host", "127.0.0.1", "--port", "0", *options],
        env={
            **kept,
            "MESHFLOW_MOCK": "1",
            "MESHFLOW_LEDGER_DB": str(ledger),
            "MESHFLOW_LOG_FORMAT": "json",
            "MESHFLOW_METRICS_PORT": "0",
            **environment,
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    server = MeshflowServer(process, "", ledger)
    ready = threading.Event()

    def read() -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                entry = json.loads(line) if line.startswith("{") else {"event": line}
                server.log.append(entry)
                if entry["event"] == "serving":
                    server.url = entry["address"]
                    ready.set()
        ready.set()

    server.reader = threading.Thread(target=read, daemon=True)
    server.reader.start()
    assert ready.wait(START_TIMEOUT_S), "the server did not start in time"
    assert server.url, server.log
    return server


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> MeshflowServer:
    """One server for the tests of a module."""
    return start_server()


@pytest.fixture(scope="module")
def slow_server(start_server: StartServer) -> MeshflowServer:
    """One whose agents take half a second each."""
    return start_server(None, MESHFLOW_MOCK_LATENCY_MS="500")
