"""A series is the client library's own, looked up there once however often it is counted."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from meshflow_grpc.telemetry.labelled import Labelled


class Counted(Counter):
    """Counts the looks for a series."""

    looks = 0

    def labels(self, *labelvalues: str, **labelkwargs: str) -> Counter:
        """As the library does."""
        type(self).looks += 1
        return super().labels(*labelvalues, **labelkwargs)


def test_each_series_counts_apart_and_is_looked_up_once() -> None:
    """What is counted is what the registry shows."""
    registry = CollectorRegistry()
    calls = Labelled(Counted("calls", "Calls.", ["method", "code"], registry=registry))
    for _ in range(3):
        calls["Run", "OK"].inc()
    calls["Run", "ABORTED"].inc(2)
    assert registry.get_sample_value("calls_total", {"method": "Run", "code": "OK"}) == 3
    assert registry.get_sample_value("calls_total", {"method": "Run", "code": "ABORTED"}) == 2
    assert Counted.looks == 2
