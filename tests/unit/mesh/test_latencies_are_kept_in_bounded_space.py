"""Quantiles of a histogram of fixed size are close to the exact ones."""

from __future__ import annotations

import sys
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.mesh.latency import LatencyHistogram


@given(st.lists(st.floats(0, 10_000_000), min_size=1), st.sampled_from([0.5, 0.99]))
def test_a_quantile_is_at_most_a_tenth_too_high(latencies: list[float], share: float) -> None:
    """And never too low, except beyond an hour, where the slowest call stands for all."""
    histogram = LatencyHistogram()
    for each in latencies:
        histogram.add(each)
    exact = sorted(latencies)[ceil(share * len(latencies)) - 1]

    shown = histogram.quantile(share)
    assert exact <= shown <= max(latencies)
    assert shown <= max(exact * 1.1001, 0.1) or exact > 3_600_000


@given(st.lists(st.floats(0, 1_000_000), min_size=1))
def test_the_mean_is_exact(latencies: list[float]) -> None:
    """To the precision of the sum."""
    histogram = LatencyHistogram()
    for each in latencies:
        histogram.add(each)

    assert histogram.mean() == pytest.approx(sum(latencies) / len(latencies))


def test_without_calls_all_is_zero() -> None:
    """Nothing is divided by nothing."""
    histogram = LatencyHistogram()

    assert (histogram.mean(), histogram.quantile(0.99), histogram.count) == (0.0, 0.0, 0)


def test_more_calls_take_no_more_room() -> None:
    """A hundred thousand of them."""
    histogram = LatencyHistogram()
    before = sys.getsizeof(histogram._counts)
    for number in range(100_000):
        histogram.add(number / 7)

    assert sys.getsizeof(histogram._counts) == before
