"""Log lines written by a thread, so that a slow or stuck stderr never holds up the event loop."""

from __future__ import annotations

import atexit
import sys
import threading
from collections import deque
from typing import Final

MAX_WAITING_LINES: Final = 10_000
# What comes within this time is written together: a write for each line took the interpreter from the event loop twice a call.
GATHER_S: Final = 0.01


class LogWriter:
    """What structlog gives lines to. Beyond 10,000 waiting lines the newest are dropped, and the loss is told."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._some = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="meshflow-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def line(self, text: str) -> None:
        """Takes a line without its end; never blocks."""
        if len(self._lines) < MAX_WAITING_LINES:
            self._lines.append(text + "\n")
        else:
            self._dropped += 1
        if not self._some.is_set():
            self._some.set()

    # The names by which structlog calls a logger.
    debug = info = warning = error = critical = line

    def close(self) -> None:
        """Writes what is waiting, for at most two seconds."""
        if self._thread.is_alive():
            self._closing.set()
            self._some.set()
            self._thread.join(timeout=2.0)

    def _work(self) -> None:
        while not self._closing.is_set():
            self._some.wait()
            self._closing.wait(GATHER_S)
            # Before the lines are taken: one that comes meanwhile sets it again.
            self._some.clear()
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        while self._lines:
            self._emit([self._lines.popleft() for _ in range(min(1000, len(self._lines)))])

    def _emit(self, parts: list[str]) -> None:
        if self._dropped:
            parts.append(f'{{"event": "log_lines_dropped", "count": {self._dropped}, "level": "warning"}}\n')
            self._dropped = 0
        try:
            sys.stderr.write("".join(parts))
            sys.stderr.flush()
        except (OSError, ValueError):
            return  # nobody reads the log any more; the server goes on
