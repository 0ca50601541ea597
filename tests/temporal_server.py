"""A real Temporal server for tests, on a free port of the loopback interface, that remembers nothing when it ends."""

from __future__ import annotations

import subprocess
import sysconfig
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT_S = 120.0


@contextmanager
def temporal_server(directory: Path, port: int | None = None) -> Iterator[str]:
    """The address of a server that answers; its log is in the directory."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal"
    port = port or free_port()
    address = f"127.0.0.1:{port}"
    options = ["--headless", "--ip", "127.0.0.1", "--port", str(port), "--http-port", "0", "--log-level", "error"]
    with (directory / "temporal.log").open("w") as log:
        process = subprocess.Popen([binary, "server", "start-dev", *options], stdout=log, stderr=log)
        try:
            _wait(process, binary, address)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait(process: subprocess.Popen[bytes], binary: Path, address: str) -> None:
    """Until its namespace can be used: the port listens before that."""
    look = [binary, "operator", "namespace", "describe", "--namespace", "default", "--address", address]
    deadline = time.monotonic() + START_TIMEOUT_S
    while subprocess.run(look, capture_output=True, timeout=60, check=False).returncode != 0:
        assert process.poll() is None, "the Temporal server did not start"
        assert time.monotonic() < deadline, "the Temporal server does not answer"
        time.sleep(0.05)
