"""Log lines written by a thread, so that a slow or stuck stderr never holds up the event loop."""

from __future__ import annotations

import atexit
import queue
import sys
import threading

MAX_WAITING_LINES = 10_000


class LogWriter:
    """A file-like object for structlog. Beyond 10,000 waiting lines the newest are dropped, and the loss is told."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._work, name="meshflow-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, text: str) -> int:
        """Takes text; never blocks."""
        if self._lines.qsize() < MAX_WAITING_LINES:
            self._lines.put(text)
        else:
            self._dropped += 1
        return len(text)

    def flush(self) -> None:
        """The thread flushes; nothing to do here."""

    def close(self) -> None:
        """Writes what is waiting, for at most two seconds."""
        if self._thread.is_alive():
            self._lines.put(None)
            self._thread.join(timeout=2.0)

    def _work(self) -> None:
        while (text := self._lines.get()) is not None:
            parts = [text]
            while not self._lines.empty() and len(parts) < 1000:
                more = self._lines.get()
                if more is None:
                    self._emit(parts)
                    return
                parts.append(more)
            self._emit(parts)

    def _emit(self, parts: list[str]) -> None:
        if self._dropped:
            parts.append(f'{{"event": "log_lines_dropped", "count": {self._dropped}, "level": "warning"}}\n')
            self._dropped = 0
        try:
            sys.stderr.write("".join(parts))
            sys.stderr.flush()
        except (OSError, ValueError):
            return  # nobody reads the log any more; the server goes on
