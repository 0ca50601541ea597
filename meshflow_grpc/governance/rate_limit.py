"""Rate limiting by GCRA (generic cell rate algorithm, ITU-T I.371): one number per key, no timers."""

from __future__ import annotations


class RateLimiter:
    """Admits ``rate_per_s`` on average with bursts of ``burst``, per key. Times are monotonic seconds."""

    __slots__ = ("_arrival", "_burst_s", "_interval", "_limit")

    def __init__(self, rate_per_s: float, burst: int, *, max_keys: int = 100_000) -> None:
        self._interval = 1.0 / rate_per_s
        self._burst_s = burst * self._interval
        self._arrival: dict[str, float] = {}
        self._limit = max_keys

    def admit(self, key: str, now: float) -> float:
        """Takes one cell and returns 0.0, or returns the seconds until one is free and takes nothing."""
        due = max(self._arrival.get(key, 0.0), now) + self._interval
        wait = due - now - self._burst_s
        if wait > 0:
            return wait
        if len(self._arrival) >= self._limit and key not in self._arrival:
            self._forget_idle(now)
        self._arrival[key] = due
        return 0.0

    def _forget_idle(self, now: float) -> None:
        self._arrival = {key: due for key, due in self._arrival.items() if due > now}
