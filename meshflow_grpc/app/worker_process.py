"""A worker as its supervisor sees it: a process, what it reports, and its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

import structlog

from meshflow_grpc.envoy.process import launcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshflow_grpc.app.seat import Seat

_log = structlog.get_logger(__name__)

COMMAND: Final = (sys.executable, "-m", "meshflow_grpc.app.worker")
# A worker reports every second; one that has not for so long hangs, and its runs are taken up by the others meanwhile.
SILENT_S: Final = 30.0


class WorkerProcess:
    """One running worker; ``ended`` gives its exit status, negative for a signal."""

    def __init__(
        self,
        index: int,
        process: asyncio.subprocess.Process,
        reports: asyncio.StreamReader,
        changed: Callable[[], None],
    ) -> None:
        self.index = index
        self.ready = self.was_ready = self.started = False
        self.ledger_reachable = True
        self._process = process
        self._reports = reports
        self._changed = changed
        self._stopping = False
        self.silent_s = SILENT_S
        self.ended: asyncio.Task[int] = asyncio.create_task(self._watch(), name=f"worker-{index}")

    @classmethod
    async def spawn(cls, seat: Seat, changed: Callable[[], None], command: Sequence[str] = COMMAND) -> Self:
        """Starts one in a session of its own, so that Ctrl-C reaches the supervisor alone; ``seat.report`` is chosen here."""
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *launcher(), *command, stdin=asyncio.subprocess.PIPE, pass_fds=(writing,), start_new_session=True
            )
        finally:
            os.close(writing)
        reports = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reports), os.fdopen(reading, "rb"))
        if process.stdin is not None:
            process.stdin.write(replace(seat, report=writing).text().encode())
            process.stdin.close()
        _log.info("worker_started", worker=seat.index, pid=process.pid)
        return cls(seat.index, process, reports, changed)

    def signal(self, number: signal.Signals) -> None:
        """Sends it, unless the worker has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self, within_s: float) -> int:
        """SIGTERM, and SIGKILL when it takes longer; returns the exit status."""
        self._stopping = True
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(self.ended)
        except TimeoutError:
            _log.error("worker_killed", worker=self.index, reason=f"it did not stop within {within_s:g} s")
            self.signal(signal.SIGKILL)
            return await self.ended

    async def _watch(self) -> int:
        """Takes in reports until the worker is gone."""
        while line := await self._report():
            told = json.loads(line)
            self.ready, self.started, self.ledger_reachable = told["ready"], told["started"], told["ledger_reachable"]
            self.was_ready = self.was_ready or self.ready
            self._changed()
        status = await self._process.wait()
        self.ready = False
        self._changed()
        return status

    async def _report(self) -> bytes:
        """The next line; empty when the worker is gone. Once it was ready it must not fall silent."""
        while True:
            try:
                async with asyncio.timeout(self.silent_s if self.was_ready and not self._stopping else None):
                    return await self._reports.readline()
            except TimeoutError:
                _log.error("worker_killed", worker=self.index, reason=f"it was silent for {self.silent_s:g} s")
                self._stopping = True
                self.signal(signal.SIGKILL)
