"""GCRA: the rate on average, the burst at once, and an exact time to come back."""

from __future__ import annotations

import pytest

from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.governance.rate_limit import RateLimiter
from tests.unit.engine.conftest import make_world


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


async def test_a_rate_below_one_a_second_admits_the_first_step() -> None:
    """The burst is at least one, so that a slow rate is not a ban."""
    world = make_world(options=RuntimeOptions(step_rate_per_s=0.001))
    first, second = await world.run(), await world.run()

    assert first.status is RunStatus.COMPLETED
    assert second.blocked_by == "rate_limiting"
