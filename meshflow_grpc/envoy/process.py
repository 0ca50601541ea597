"""Envoy as a child process: started, watched, drained and stopped without blocking the event loop."""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import httpx

from meshflow_grpc.envoy.admin import EnvoyAdmin
from meshflow_grpc.envoy.bootstrap import LISTENER, EnvoyConfig, TcpAddress, UnixAddress, bootstrap

LogLine = Callable[[str], None]
MakeBootstrap = Callable[[EnvoyConfig], dict[str, Any]]
_LAST_LINES = 20
_POLL_S = 0.01
_LINE_LIMIT = 2**20
_LOG_FORMAT = "%l %n: %v"
_SILENT = "Envoy does not answer on its administration socket: {!r}"
_LAUNCHER = Path(__file__).with_name("launch.py")


class EnvoyStartError(Exception):
    """Envoy did not come up; the message holds its last lines."""


class EnvoyExitedError(Exception):
    """Envoy ended by itself while it was needed."""


@dataclass(frozen=True, slots=True)
class EnvoyOptions:
    """How the child runs. Times are in seconds."""

    binary: Path
    concurrency: int = 1
    start_timeout_s: float = 30.0
    stop_timeout_s: float = 5.0
    # From drain() until the listeners close.
    drain_time_s: float = 30.0


class EnvoyProcess:
    """One running Envoy. `crashed` gets an EnvoyExitedError as its result when the child ends without having been stopped."""

    def __init__(
        self, options: EnvoyOptions, directory: Path, process: asyncio.subprocess.Process, on_line: LogLine
    ) -> None:
        log = process.stderr
        if log is None:
            raise ValueError("stderr of the process has to be a pipe")
        self._options = options
        self._directory = directory
        self._process = process
        self._on_line = on_line
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._stopping = False
        self.port = 0
        self.crashed: asyncio.Future[EnvoyExitedError] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read_log(log), name="envoy-log")
        self._watcher = asyncio.create_task(self._watch(), name="envoy-watch")

    @classmethod
    async def start(
        cls, options: EnvoyOptions, config: EnvoyConfig, on_line: LogLine, make: MakeBootstrap = bootstrap
    ) -> Self:
        """Starts Envoy and returns when it takes connections. Raises EnvoyStartError.

        Its administration interface is a Unix socket that only this user can open, whatever `config.admin` says. `on_line` gets
        each line of Envoy's log, warnings and worse.
        """
        directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="meshflow-envoy-"))
        try:
            text = _configuration(config, directory, make)
            await asyncio.to_thread((directory / "envoy.json").write_text, text, "utf-8")
            process = await _spawn(options, directory)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
            raise
        started = cls(options, directory, process, on_line)
        try:
            await started._wait_until_live(config.public)
        except BaseException:
            await started.stop()
            raise
        return started

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    @property
    def admin_socket(self) -> Path:
        """Unix socket of the administration interface, open to this user alone."""
        return self._directory / "admin.sock"

    async def drain(self) -> None:
        """Tells clients to go elsewhere; what is in flight goes on. Raises EnvoyExitedError when Envoy does not answer."""
        try:
            async with EnvoyAdmin(self.admin_socket) as admin:
                await admin.drain()
        except httpx.HTTPError as error:
            raise EnvoyExitedError(_SILENT.format(error)) from error

    async def until_idle(self) -> None:
        """Waits until every request is answered and sent, for which a client has to read. Raises EnvoyExitedError as drain does."""
        try:
            async with EnvoyAdmin(self.admin_socket) as admin:
                while not await admin.is_idle(LISTENER):  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(_POLL_S)
        except httpx.HTTPError as error:
            raise EnvoyExitedError(_SILENT.format(error)) from error

    async def stop(self) -> None:
        """Ends the child (SIGTERM, after the bound SIGKILL) and removes its files; connections still open are cut. Idempotent."""
        self._stopping = True
        try:
            await self._terminate()
        finally:
            await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)

    async def _terminate(self) -> None:
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._options.stop_timeout_s):
                await asyncio.shield(self._watcher)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await asyncio.shield(self._watcher)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def _wait_until_live(self, public: TcpAddress) -> None:
        try:
            async with asyncio.timeout(self._options.start_timeout_s), EnvoyAdmin(self.admin_socket) as admin:
                while not await admin.is_live():
                    if self._watcher.done():
                        raise self._start_error(public, f"ended with status {self._process.returncode}")
                    await asyncio.sleep(_POLL_S)
                self.port = await admin.bound_port(LISTENER)
        except TimeoutError:
            raise self._start_error(public, f"was not ready after {self._options.start_timeout_s:g} s") from None

    def _start_error(self, public: TcpAddress, what: str) -> EnvoyStartError:
        said = "\n".join(f"  {line}" for line in self._last_lines) or "  (it said nothing)"
        hint = ""
        if "Address already in use" in said:
            hint = f"; {public.host}:{public.port} is taken: choose another with --port or MESHFLOW_PORT"
        return EnvoyStartError(f"Envoy {what}{hint}. Its last lines:\n{said}")

    async def _read_log(self, stream: asyncio.StreamReader) -> None:
        while raw := await stream.readline():
            line = raw.decode("utf-8", "replace").rstrip()
            self._last_lines.append(line)
            self._on_line(line)

    async def _watch(self) -> None:
        """Ends when the child has ended and its log is read to the end."""
        status = await self._process.wait()
        await self._reader
        if not self._stopping and not self.crashed.done():
            last = self._last_lines[-1] if self._last_lines else "it said nothing"
            self.crashed.set_result(EnvoyExitedError(f"Envoy ended by itself with status {status}: {last}"))


def _configuration(config: EnvoyConfig, directory: Path, make: MakeBootstrap) -> str:
    try:
        return json.dumps(make(replace(config, admin=UnixAddress(directory / "admin.sock"))))
    except ValueError as error:
        raise EnvoyStartError(f"Envoy cannot be configured: {error} (TMPDIR)") from error


async def _spawn(options: EnvoyOptions, directory: Path) -> asyncio.subprocess.Process:
    """In a session of its own, so that Ctrl-C reaches only us: Envoy would drop every call at once."""
    command = [
        *launcher(),
        str(options.binary),
        *("--config-path", str(directory / "envoy.json")),
        *("--concurrency", str(options.concurrency)),
        *("--drain-time-s", str(math.ceil(options.drain_time_s))),
        *("--log-level", "warning", "--log-format", _LOG_FORMAT, "--log-format-escaped"),
        "--disable-hot-restart",
    ]
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
    except OSError as error:
        raise EnvoyStartError(f"{options.binary} cannot be started: {error.strerror}") from error


def launcher() -> list[str]:
    """What a command is started by: on Linux the child ends with its parent, even when that is killed."""
    if sys.platform != "linux" or not sys.executable:
        return []
    return [sys.executable, "-IS", str(_LAUNCHER), str(os.getpid())]
