"""GCRA: the rate on average, the burst at once, and an exact time to come back."""

from __future__ import annotations

import pytest

from meshflow_grpc.governance.rate_limit import RateLimiter


def test_a_burst_passes_and_the_next_waits() -> None:
    """Ten at once, then one each tenth of a second."""
    limiter = RateLimiter(10.0, 10)

    assert [limiter.admit("t/a", 100.0) for _ in range(10)] == [0.0] * 10
    wait = limiter.admit("t/a", 100.0)
    assert wait == pytest.approx(0.1)
    assert limiter.admit("t/a", 100.0 + wait) == 0.0


def test_keys_do_not_share_a_limit() -> None:
    """One tenant's haste is not another's."""
    limiter = RateLimiter(1.0, 1)

    assert limiter.admit("a", 0.0) == limiter.admit("b", 0.0) == 0.0
    assert limiter.admit("a", 0.0) > 0


def test_idle_keys_are_forgotten_at_the_bound() -> None:
    """Memory stays bounded without forgetting anyone who would be refused."""
    limiter = RateLimiter(1.0, 1, max_keys=2)
    limiter.admit("old", 0.0)
    limiter.admit("busy", 100.0)
    limiter.admit("new", 100.0)

    assert limiter.admit("busy", 100.0) > 0
    assert limiter.admit("old", 100.0) == 0.0
