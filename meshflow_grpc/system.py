"""The machine's clock, identifiers and randomness behind the core's ports."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine


class SystemClock:
    """Wall-clock and monotonic time of this machine."""

    def __init__(self) -> None:
        self._second = (0, "1970-01-01T00:00:00")
        self._last = (0, "1970-01-01T00:00:00.000Z")

    def now(self) -> str:
        """See ports.clock.Clock.now. The text of a second is made once, and that of a millisecond while it is asked for again."""
        now_ms = time.time_ns() // 1_000_000
        last_ms, text = self._last
        if now_ms != last_ms:
            text = f"{self._text_of(now_ms // 1000)}.{now_ms % 1000:03d}Z"
            self._last = (now_ms, text)
        return text

    def _text_of(self, second: int) -> str:
        known, text = self._second
        if second != known:
            text = datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds").removesuffix("+00:00")
            self._second = (second, text)
        return text

    # See ports.clock.Clock.monotonic; asked some ten times a step.
    monotonic = staticmethod(time.monotonic)


class Uuid7Ids:
    """Run ids from UUIDv7 (RFC 9562 §5.7), monotonic within this process (§6.2, method 2)."""

    def __init__(self) -> None:
        self._last_ms = 0
        self._tail = 0

    def run_id(self) -> str:
        """See ports.clock.IdSource.run_id."""
        now_ms = time.time_ns() // 1_000_000
        if now_ms > self._last_ms:
            self._last_ms = now_ms
            # The top bit stays free so that increments within a millisecond do not overflow.
            self._tail = int.from_bytes(os.urandom(10)) >> 7
        else:
            self._tail += 1 + int.from_bytes(os.urandom(4))
        tail = self._tail & ((1 << 74) - 1)
        value = (
            (self._last_ms & ((1 << 48) - 1)) << 80
            | 0x7 << 76
            | (tail >> 62) << 64
            | 0b10 << 62
            | tail & ((1 << 62) - 1)
        )
        text = f"{value:032x}"
        return f"run_{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def jitter() -> float:
    """A number in [0, 1) for back-off; not a secret."""
    return random.random()  # noqa: S311 - spreads retries, protects nothing


class StopRequests:
    """What SIGTERM and SIGINT ask for: ``first`` to stop in good order, ``second`` to wait for nothing any more."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask)

    def _ask(self) -> None:
        (self.second if self.first.is_set() else self.first).set()

    async def unless_hurried(self, end: Coroutine[object, object, None], within_s: float) -> None:
        """Waits for an end, at most so long and only until the second request. Raises what it raises."""
        ending, hurried = asyncio.create_task(end), asyncio.create_task(self.second.wait())
        await asyncio.wait((ending, hurried), timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if ending.done():
            ending.result()
        ending.cancel()
