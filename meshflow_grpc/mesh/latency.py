"""Latencies in a histogram of fixed size, so that a peer's numbers never grow with its calls."""

from __future__ import annotations

from bisect import bisect_left
from math import ceil

# From 0.1 ms to more than an hour in steps of a tenth: a quantile is at most that much too high.
_EDGES = tuple(0.1 * 1.1**step for step in range(184))


class LatencyHistogram:
    """Counts of milliseconds by bucket, and their exact sum."""

    __slots__ = ("_counts", "_most", "_sum", "count")

    def __init__(self) -> None:
        self._counts = [0] * (len(_EDGES) + 1)
        self._sum = 0.0
        self._most = 0.0
        self.count = 0

    def add(self, milliseconds: float) -> None:
        """Counts one call."""
        self._counts[bisect_left(_EDGES, milliseconds)] += 1
        self._sum += milliseconds
        self._most = max(self._most, milliseconds)
        self.count += 1

    def mean(self) -> float:
        """Mean of all calls, exact; 0 without any."""
        return self._sum / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Upper edge of the bucket that holds this share of all calls, and never more than the slowest call."""
        rank, seen = ceil(share * self.count), 0
        for edge, count in zip(_EDGES, self._counts, strict=False):
            seen += count
            if seen >= rank:
                return min(edge, self._most)
        return self._most
