"""What the server knows of itself: version, uptime, readiness, draining, and whether its event loop turns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.ports.clock import Clock

LOOP_STALL_S = 10.0


class ServerState:
    """Set by the lifecycle, read by probes. Reading never does I/O."""

    def __init__(self, version: str, clock: Clock) -> None:
        self.version = version
        self.started = False
        self.draining = False
        self.ledger_reachable = True
        self._clock = clock
        self._started = self._beat = clock.monotonic()

    @property
    def ready(self) -> bool:
        """Whether the server wants traffic."""
        return self.started and not self.draining and self.ledger_reachable

    def uptime_s(self) -> float:
        """Seconds since start."""
        return self._clock.monotonic() - self._started

    def beat(self) -> None:
        """Called by the event loop at least once a second."""
        self._beat = self._clock.monotonic()

    def alive(self) -> bool:
        """Whether the event loop turned within the last ten seconds."""
        return self._clock.monotonic() - self._beat < LOOP_STALL_S

    async def keep_beating(self, every_s: float) -> None:
        """Beats until cancelled: as long as the event loop turns, the process is alive."""
        while True:
            self.beat()
            await asyncio.sleep(every_s)
