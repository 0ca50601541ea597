"""A real S3 server for tests: versitygw over a directory, built with Go from pinned sources, gone afterwards."""

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

SOURCES = Path(__file__).parent / "s3" / "gateway"
KEY, SECRET = "meshflow-tests", "meshflow-tests-secret"


class S3Gateway:
    """A running server; ``new_bucket`` gives an empty one. ``environment`` is what clients find it by."""

    def __init__(self, directory: Path, port: int) -> None:
        self._directory = directory
        self._buckets = 0
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.url,
        }

    def new_bucket(self) -> str:
        """Makes an empty bucket: for this server, a directory."""
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        (self._directory / name).mkdir()
        return name

    def files(self, bucket: str) -> list[Path]:
        """What is stored in a bucket."""
        return sorted(path for path in (self._directory / bucket).rglob("*") if path.is_file())


@contextmanager
def s3_gateway() -> Iterator[S3Gateway]:
    """A running server; skips where there is no Go to build it with, except in CI, where that is a failure."""
    go = shutil.which("go")
    if go is None:
        reason = "go is not on PATH; the S3 server of these tests is built with it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    directory = Path(tempfile.mkdtemp(prefix="meshflow-s3-"))
    process = None
    try:
        program, data = directory / "versitygw", directory / "data"
        build = [go, "build", "-o", str(program), "github.com/versity/versitygw/cmd/versitygw"]
        built = subprocess.run(build, cwd=SOURCES, capture_output=True, text=True, timeout=540)
        assert built.returncode == 0, built.stderr[-2000:]
        data.mkdir()
        port = free_port()
        environment = {**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}
        command = [str(program), "--quiet", "--port", f"127.0.0.1:{port}", "posix", str(data)]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory
        )
        _wait_for(process, port)
        yield S3Gateway(data, port)
    finally:
        if process is not None:
            process.kill()
            process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + 60
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, "versitygw ended"
        assert time.monotonic() < give_up, "versitygw does not answer"
        time.sleep(0.02)
