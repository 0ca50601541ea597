"""Time under the test's control."""

from __future__ import annotations


class FakeClock:
    """Stands still until told to advance; implements ports.clock.Clock."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> str:
        """A fixed day; the seconds move with the monotonic clock."""
        whole = int(self.seconds)
        return f"2026-01-01T{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}.{int(self.seconds % 1 * 1000):03}Z"

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.seconds += seconds
