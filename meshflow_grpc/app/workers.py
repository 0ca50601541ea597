"""Several workers: each in its seat, restarted when it ends, and their readiness taken together."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

import structlog

from meshflow_grpc.app.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshflow_grpc.app.seat import Seat

_log = structlog.get_logger(__name__)

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
# A worker that ran for so long is restarted without regard to what happened before.
STEADY_S: Final = 60.0


class WorkersFailedError(Exception):
    """A worker ended before it was ever ready; its own lines in the log say why."""


class Workers:
    """``changed`` is called whenever one starts, reports or ends."""

    def __init__(self, seats: Sequence[Seat], changed: Callable[[], None], command: Sequence[str]) -> None:
        self._seats = seats
        self._changed = changed
        self._command = command
        self._running: dict[int, WorkerProcess] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    @property
    def started(self) -> bool:
        """Whether at least one serves."""
        return any(worker.started for worker in self._running.values())

    @property
    def ready(self) -> bool:
        """Whether at least one wants traffic."""
        return any(worker.ready for worker in self._running.values())

    @property
    def ledger_reachable(self) -> bool:
        """Whether at least one reaches the ledger."""
        return any(worker.ledger_reachable for worker in self._running.values())

    async def start(self) -> None:
        """Starts all and returns when each was ready; raises WorkersFailedError."""
        self._keepers = [
            asyncio.create_task(self._keep(seat), name=f"keep-worker-{seat.index}") for seat in self._seats
        ]
        while not all(seat.index in self._running and self._running[seat.index].was_ready for seat in self._seats):
            news = asyncio.create_task(self._news.wait())
            await asyncio.wait((news, *self._keepers), return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            for keeper in self._keepers:
                if keeper.done():
                    await keeper
            self._news.clear()

    async def _keep(self, seat: Seat) -> None:
        """Keeps one seat taken: a worker that was ready once is restarted for ever, one that never was is a failed start."""
        loop, delay, came_up = asyncio.get_running_loop(), FIRST_DELAY_S, False
        while True:
            began = loop.time()
            try:
                worker = self._running[seat.index] = await WorkerProcess.spawn(seat, self._told, self._command)
            except OSError as error:
                why = f"could not be started: {error.strerror}"
            else:
                self._told()
                why = f"ended with status {await asyncio.shield(worker.ended)}"
                came_up = came_up or worker.was_ready
            if not came_up:
                raise WorkersFailedError(f"worker {seat.index} {why} before it was ready")
            if loop.time() - began > STEADY_S:
                delay = FIRST_DELAY_S
            _log.error("worker_ended", worker=seat.index, reason=why, restart_in_s=delay)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY_S)

    def _told(self) -> None:
        self._news.set()
        self._changed()

    def hurry(self) -> None:
        """Tells all that stop to wait for nothing any more."""
        for worker in self._running.values():
            worker.signal(signal.SIGTERM)

    async def stop(self, within_s: float) -> bool:
        """Stops all side by side; returns whether all ended well. Idempotent."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        running = list(self._running.values())
        statuses = await asyncio.gather(*(worker.stop(within_s) for worker in running))
        return all(_ended_well(worker, status) for worker, status in zip(running, statuses, strict=True))


def _ended_well(worker: WorkerProcess, status: int) -> bool:
    """One that was still starting has nothing to finish, and ends by the signal itself."""
    return status == 0 or (status == -signal.SIGTERM and not worker.was_ready)
