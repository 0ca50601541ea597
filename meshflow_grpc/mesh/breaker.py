"""The circuit breaker of a peer: the kernel's, whose tickets are kept here for whoever makes the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.governance.circuit_breaker import BreakerState, CircuitBreaker

if TYPE_CHECKING:
    from meshflow_grpc.domain.policy import CircuitBreakerConfig


class PeerBreaker:
    """Closed, open after failures in a row, half-open with one trial.

    ``caller`` is whoever makes the call, any hashable; the same one admits and reports. Times are monotonic seconds.
    """

    __slots__ = ("_breaker", "_config", "_held")

    def __init__(self, config: CircuitBreakerConfig) -> None:
        self._breaker = CircuitBreaker()
        self._config = config
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
        ticket = self._breaker.admit(self._config, now)
        if ticket:
            self._held.setdefault(caller, []).append(ticket)
        return bool(ticket)

    def report(self, caller: object, now: float, *, ok: bool) -> None:
        """The result of the caller's call; of a call that was not admitted it is ignored."""
        if ok:
            self._breaker.record_success(self._returned(caller))
        else:
            self._breaker.record_failure(self._returned(caller), self._config, now)

    def give_back(self, caller: object) -> None:
        """The caller's call has no result."""
        self._breaker.release(self._returned(caller))

    def _returned(self, caller: object) -> int:
        held = self._held.get(caller)
        if not held:
            return 0
        ticket = held.pop()
        if not held:
            del self._held[caller]
        return ticket
