"""What every step and call is counted by: added up in plain numbers, made into metrics when those are read.

The client library takes a lock for each number it adds to, and looks through a histogram's bounds one by one. One thread adds here, any
may read.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry, Metric


class Counts:
    """A counter. Its labels must be few: it has a series for each combination it met."""

    def __init__(self, name: str, text: str, labels: Sequence[str], *, registry: CollectorRegistry) -> None:
        self._about = (name, text)
        self._labels = labels
        self._counts: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def add(self, *labels: str) -> None:
        """Counts one more."""
        counts = self._counts
        counts[labels] = counts.get(labels, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        family = CounterMetricFamily(*self._about, labels=self._labels)
        for labels, count in self._counts.copy().items():
            family.add_metric(labels, count)
        yield family


class Durations:
    """A histogram of seconds; as Counts. Without labels it is there before the first is observed."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float], *, registry: CollectorRegistry
    ) -> None:
        self._about = (name, text)
        self._labels = labels
        self._bounds = bounds
        self._shown = [floatToGoString(bound) for bound in (*bounds, float("inf"))]  # type: ignore[no-untyped-call]
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        if not labels:
            self._begin(())
        registry.register(self)

    def observe(self, seconds: float, *labels: str) -> None:
        """Takes one in; a bound belongs to what is below it."""
        counts = self._counts.get(labels) or self._begin(labels)
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[labels] += seconds

    def _begin(self, labels: tuple[str, ...]) -> list[int]:
        self._sums[labels] = 0.0
        counts = self._counts[labels] = [0] * len(self._shown)
        return counts

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        family = HistogramMetricFamily(*self._about, labels=self._labels)
        for labels, counts in self._counts.copy().items():
            buckets = list(zip(self._shown, accumulate(counts.copy()), strict=True))
            family.add_metric(labels, buckets, self._sums[labels])
        yield family
