"""The series of a metric by their labels, found once: the client library makes a text of each label and takes a lock at every look."""

from __future__ import annotations

from typing import TypeVar

from prometheus_client import Counter, Histogram

Metric = TypeVar("Metric", Counter, Histogram)


class Labelled(dict[tuple[str, ...], Metric]):
    """``labelled["a", "b"]`` is ``metric.labels("a", "b")``. Only for labels that are few: it grows as the metric does."""

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self._metric: Metric = metric

    def __missing__(self, labels: tuple[str, ...]) -> Metric:
        series: Metric = self._metric.labels(*labels)
        self[labels] = series
        return series
