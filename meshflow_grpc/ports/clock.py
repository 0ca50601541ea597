"""Time and identifiers enter the core here, so that runs can be replayed and tested."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall-clock and monotonic time."""

    def now(self) -> str:
        """Wall-clock time, RFC 3339 UTC with milliseconds: ``2026-01-02T03:04:05.678Z``. Data, never used for order."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...


class IdSource(Protocol):
    """New identifiers."""

    def run_id(self) -> str:
        """``run_`` and a UUIDv7 in hexadecimal with dashes (RFC 9562): later ids sort after earlier ones."""
        ...
