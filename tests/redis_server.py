"""A real Redis server for tests: its own directory and port, every write synced, everything gone afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.free_ports import free_port


class RedisServer:
    """One server; ``kill`` and ``start`` play a crash."""

    def __init__(self, program: str, directory: Path, port: int) -> None:
        self._program = program
        self._directory = directory
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{port}"

    def start(self) -> None:
        """Starts the server and waits until it takes connections and has read its file."""
        command = [self._program, "--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, "redis-server ended"
            assert time.monotonic() < give_up, "redis-server does not answer"
            time.sleep(0.02)

    def kill(self) -> None:
        """Kills the server as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A running server; skips where there is none, except in CI, where that is a failure."""
    program = shutil.which("redis-server")
    if program is None:
        reason = "no redis-server on PATH; install redis-server to run these tests"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    directory = Path(tempfile.mkdtemp(prefix="meshflow-redis-"))
    server = RedisServer(program, directory, free_port())
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)
