"""Circuit breaker: closed, open after failures in a window, half-open admitting exactly one trial."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.policy import CircuitBreakerConfig


class BreakerState(StrEnum):
    """States of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Breaker of one target. Times are monotonic seconds given by the caller. Synchronous: admission is atomic.

    Results of calls that were admitted before the breaker opened change nothing any more: a late one never passes for the trial's.
    """

    __slots__ = ("_failures", "_opened_at", "_period", "_trial")

    def __init__(self) -> None:
        self._failures: deque[float] = deque(maxlen=1024)
        self._opened_at: float | None = None
        self._period = 1
        self._trial = False

    def state(self, config: CircuitBreakerConfig, now: float) -> BreakerState:
        """The state as seen with these settings."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if now - self._opened_at >= config.half_open_after_s else BreakerState.OPEN

    def admit(self, config: CircuitBreakerConfig, now: float) -> int:
        """A ticket with which the call says how it ended; 0 when it may not go ahead. Half-open admits one until its result."""
        if self._opened_at is None:
            return self._period
        state = self.state(config, now)
        if state is BreakerState.OPEN or self._trial:
            return 0
        self._trial = True
        self._period += 1
        return self._period

    def record_success(self, ticket: int) -> None:
        """Closes the breaker and forgets failures."""
        if ticket != self._period:
            return
        self._failures.clear()
        self._opened_at = None
        self._trial = False

    def record_failure(self, ticket: int, config: CircuitBreakerConfig, now: float) -> None:
        """Counts a failure; opens at the threshold within the window, and at once when the trial failed."""
        if ticket != self._period:
            return
        failures = self._failures
        failures.append(now)
        while failures and now - failures[0] > config.failure_window_s:
            failures.popleft()
        if self._trial or len(failures) >= config.failure_threshold:
            self._opened_at = now
            self._period += 1
        self._trial = False

    def release(self, ticket: int) -> None:
        """Gives back a ticket whose call was cancelled before it had a result."""
        if ticket == self._period:
            self._trial = False


class Breakers:
    """Breakers shared by all runs of a process, by target; the oldest unused ones are dropped beyond a bound."""

    __slots__ = ("_by_target", "_limit")

    def __init__(self, limit: int = 10_000) -> None:
        self._by_target: dict[str, CircuitBreaker] = {}
        self._limit = limit

    def of(self, target: str) -> CircuitBreaker:
        """The breaker of a target."""
        breaker = self._by_target.get(target)
        if breaker is None:
            if len(self._by_target) >= self._limit:
                del self._by_target[next(iter(self._by_target))]
            breaker = self._by_target[target] = CircuitBreaker()
        return breaker
