"""The circuit breaker of a peer: the kernel's, told apart by who asked, so that a late result never passes for the trial's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.governance.circuit_breaker import BreakerState, CircuitBreaker

if TYPE_CHECKING:
    from meshflow_grpc.domain.policy import CircuitBreakerConfig


class PeerBreaker:
    """Closed, open after failures in a row, half-open with one trial. Results of calls from before an opening change nothing.

    ``caller`` is whoever makes the call, any hashable; the same one admits and reports. Times are monotonic seconds.
    """

    __slots__ = ("_breaker", "_config", "_held", "_period")

    def __init__(self, config: CircuitBreakerConfig) -> None:
        self._breaker = CircuitBreaker()
        self._config = config
        self._period = 0
        self._held: dict[object, list[int]] = {}

    def state(self, now: float) -> BreakerState:
        """The state at a time."""
        return self._breaker.state(self._config, now)

    @property
    def calls(self) -> int:
        """Calls admitted that have no result yet."""
        return sum(map(len, self._held.values()))

    def admit(self, caller: object, now: float) -> bool:
        """Whether the caller may go ahead now."""
        trial = self.state(now) is BreakerState.HALF_OPEN
        if not self._breaker.admit(self._config, now):
            return False
        if trial:
            self._period += 1
        self._held.setdefault(caller, []).append(self._period)
        return True

    def report(self, caller: object, now: float, *, ok: bool) -> None:
        """The result of the caller's call; of a call that was not admitted it is ignored."""
        if self._returned(caller) != self._period:
            return
        if ok:
            self._breaker.record_success()
            return
        self._breaker.record_failure(self._config, now)
        if self.state(now) is not BreakerState.CLOSED:
            self._period += 1

    def give_back(self, caller: object) -> None:
        """The caller's call has no result."""
        if self._returned(caller) == self._period:
            self._breaker.release()

    def _returned(self, caller: object) -> int | None:
        held = self._held.get(caller)
        if not held:
            return None
        period = held.pop()
        if not held:
            del self._held[caller]
        return period
