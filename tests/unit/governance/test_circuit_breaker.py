"""Closed, open after failures in a window, half-open admitting exactly one trial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.policy import CircuitBreakerConfig
from meshflow_grpc.governance.circuit_breaker import Breakers, BreakerState, CircuitBreaker

CONFIG = CircuitBreakerConfig(failure_threshold=3, failure_window_s=30.0, half_open_after_s=10.0)


def opened(at: float = 0.0) -> CircuitBreaker:
    """A breaker that has just opened."""
    breaker = CircuitBreaker()
    for _ in range(3):
        fail(breaker, at)
    return breaker


def fail(breaker: CircuitBreaker, at: float) -> None:
    """A call that is admitted and fails."""
    ticket = breaker.admit(CONFIG, at)
    assert ticket
    breaker.record_failure(ticket, CONFIG, at)


def test_it_opens_at_the_threshold_and_not_before() -> None:
    """Two failures of three leave it closed."""
    breaker = CircuitBreaker()
    fail(breaker, 0.0)
    fail(breaker, 1.0)
    assert breaker.admit(CONFIG, 2.0)
    fail(breaker, 2.0)

    assert breaker.state(CONFIG, 2.0) is BreakerState.OPEN
    assert not breaker.admit(CONFIG, 2.0)


def test_failures_outside_the_window_do_not_count() -> None:
    """Three failures spread over more than the window leave it closed."""
    breaker = CircuitBreaker()
    for at in (0.0, 20.0, 40.0):
        fail(breaker, at)

    assert breaker.state(CONFIG, 40.0) is BreakerState.CLOSED


def test_half_open_admits_exactly_one_trial() -> None:
    """Until the trial's result is recorded nobody else passes."""
    breaker = opened()

    assert [bool(breaker.admit(CONFIG, 10.0)) for _ in range(5)] == [True, False, False, False, False]


def test_a_good_trial_closes_and_forgets() -> None:
    """After success a single failure does not open it again."""
    breaker = opened()
    breaker.record_success(breaker.admit(CONFIG, 10.0))
    fail(breaker, 11.0)

    assert breaker.state(CONFIG, 11.0) is BreakerState.CLOSED


def test_a_bad_trial_opens_for_another_full_period() -> None:
    """The count of old failures does not matter."""
    breaker = opened()
    fail(breaker, 50.0)

    assert not breaker.admit(CONFIG, 59.9)
    assert breaker.admit(CONFIG, 60.0)


def test_a_cancelled_trial_lets_the_next_one_try() -> None:
    """A trial without a result does not lock the breaker for ever."""
    breaker = opened()
    breaker.release(breaker.admit(CONFIG, 10.0))

    assert breaker.admit(CONFIG, 10.0)


@pytest.mark.parametrize("late", ["ok", "fail", "cancel"])
def test_a_call_from_before_it_opened_does_not_pass_for_the_trial(late: str) -> None:
    """However it ends, the trial stays the only one and decides alone."""
    breaker = CircuitBreaker()
    slow = breaker.admit(CONFIG, 0.0)
    for _ in range(3):
        fail(breaker, 0.0)
    trial = breaker.admit(CONFIG, 10.0)
    assert trial
    if late == "ok":
        breaker.record_success(slow)
    elif late == "fail":
        breaker.record_failure(slow, CONFIG, 11.0)
    else:
        breaker.release(slow)

    assert breaker.state(CONFIG, 11.0) is BreakerState.HALF_OPEN
    assert not breaker.admit(CONFIG, 11.0)
    breaker.record_success(trial)
    assert breaker.state(CONFIG, 11.0) is BreakerState.CLOSED


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["ok", "fail", "cancel"])), max_size=60))
def test_at_most_one_trial_is_out_while_not_closed(moves: list[tuple[float, str]]) -> None:
    """Model: whatever happens, an open breaker never has two trials under way."""
    breaker, now, trial_out = CircuitBreaker(), 0.0, False
    for pause, result in moves:
        now += pause
        closed = breaker.state(CONFIG, now) is BreakerState.CLOSED
        admitted = breaker.admit(CONFIG, now)
        assert admitted or not closed
        if admitted and not closed:
            assert not trial_out
            trial_out = True
        if admitted and result == "ok":
            breaker.record_success(admitted)
            trial_out = False
        elif admitted and result == "fail":
            breaker.record_failure(admitted, CONFIG, now)
            trial_out = False
        elif admitted:
            breaker.release(admitted)
            trial_out = False


def test_breakers_are_kept_per_target_and_bounded() -> None:
    """The oldest target is forgotten beyond the bound."""
    breakers = Breakers(limit=2)
    first = breakers.of("a")
    assert breakers.of("a") is first
    breakers.of("b")
    breakers.of("c")

    assert breakers.of("a") is not first
