"""A peer's breaker against the state diagram of the course, move by move, with calls that overlap."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from meshflow_grpc.domain.policy import CircuitBreakerConfig
from meshflow_grpc.governance.circuit_breaker import BreakerState
from meshflow_grpc.mesh.breaker import PeerBreaker

CONFIG = CircuitBreakerConfig(failure_threshold=5, failure_window_s=float("inf"), half_open_after_s=60.0)


class DiagramOfTheCourse(RuleBasedStateMachine):
    """CLOSED -(5 failures in a row)-> OPEN -(60 s)-> HALF_OPEN -(success)-> CLOSED, or -(failure)-> OPEN. Nothing else."""

    calls: ClassVar[Bundle[int]] = Bundle("calls")

    @initialize()
    def begin(self) -> None:
        self.breaker = PeerBreaker(CONFIG)
        self.now = 0.0
        self.number = 0
        self.model = "closed"
        self.failures = 0
        self.opened_at = 0.0
        self.trial: int | None = None
        self.current: set[int] = set()

    def opens(self) -> None:
        self.model, self.opened_at, self.trial, self.failures = "open", self.now, None, 0
        self.current.clear()

    @rule(target=calls)
    def ask(self) -> int:
        """Somebody asks to call; the model says whether they may."""
        self.number += 1
        expected = self.model == "closed" or (self.model == "half_open" and self.trial is None)
        assert self.breaker.admit(self.number, self.now) is expected
        if expected:
            self.current.add(self.number)
        if expected and self.model == "half_open":
            self.trial = self.number
        return self.number

    @rule(call=consumes(calls), ok=st.booleans())
    def finish(self, call: int, ok: bool) -> None:
        """A result, possibly of a call from before the breaker opened, or of one that was refused."""
        self.breaker.report(call, self.now, ok=ok)
        if call not in self.current:
            return
        self.current.discard(call)
        if self.model == "half_open":
            assert call == self.trial
        if ok:
            self.model, self.failures, self.trial = "closed", 0, None
        elif self.model == "half_open" or self.failures + 1 == 5:
            self.opens()
        else:
            self.failures += 1

    @rule(call=consumes(calls))
    def cancel(self, call: int) -> None:
        """A call without a result; the trial may be made again."""
        self.breaker.give_back(call)
        self.current.discard(call)
        if call == self.trial:
            self.trial = None

    @rule(seconds=st.sampled_from([0.5, 29.0, 59.9, 60.0, 1000.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        if self.model == "open" and self.now - self.opened_at >= 60.0:
            self.model = "half_open"

    @precondition(lambda self: self.model == "closed")
    @rule()
    def fail_five_times(self) -> None:
        """The short way to an open breaker."""
        for _ in range(5 - self.failures):
            self.finish(self.ask(), ok=False)
        assert self.model == "open"

    @invariant()
    def the_states_agree(self) -> None:
        """After every move."""
        if hasattr(self, "breaker"):
            assert self.breaker.state(self.now).value == self.model


DiagramOfTheCourse.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestDiagramOfTheCourse = DiagramOfTheCourse.TestCase


async def test_of_many_callers_at_once_exactly_one_is_the_trial() -> None:
    """A hundred tasks ask at once while the breaker is half-open."""
    breaker = PeerBreaker(CONFIG)
    for _ in range(5):
        breaker.admit("first", 0.0)
        breaker.report("first", 0.0, ok=False)
    assert breaker.state(60.0) is BreakerState.HALF_OPEN

    async def ask() -> bool:
        await asyncio.sleep(0)
        return breaker.admit(asyncio.current_task(), 60.0)

    assert sum(await asyncio.gather(*(ask() for _ in range(100)))) == 1


def test_a_late_failure_does_not_end_the_trial_of_another() -> None:
    """Nor does its cancellation let a second trial through."""
    breaker = PeerBreaker(CONFIG)
    for call in ("slow", "cancelled"):
        assert breaker.admit(call, 0.0)
    for call in range(5):
        breaker.admit(call, 0.0)
        breaker.report(call, 0.0, ok=False)
    assert breaker.admit("trial", 60.0)

    breaker.report("slow", 61.0, ok=False)
    breaker.give_back("cancelled")

    assert not breaker.admit("second", 61.0)
    breaker.report("trial", 62.0, ok=True)
    assert breaker.state(62.0) is BreakerState.CLOSED
    assert breaker.calls == 0
