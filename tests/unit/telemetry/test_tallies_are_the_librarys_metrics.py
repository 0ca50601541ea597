"""Counters and histograms that are added up in plain numbers read as those of the client library."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from meshflow_grpc.telemetry.tallies import Counts, Durations

BOUNDS = (0.001, 0.25, 1, 30)
LABELS = st.tuples(st.sampled_from(["Run", 'q"\\\n']), st.sampled_from(["OK", "ABORTED"]))
SECONDS = st.floats(0, 100) | st.sampled_from(BOUNDS)


@given(st.lists(st.tuples(LABELS, SECONDS), max_size=12))
def test_the_same_events_read_the_same(events: list[tuple[tuple[str, str], float]]) -> None:
    """To the last byte, with labels and without, also before the first event."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counts = Counts("calls", "Calls.", ["method", "code"], registry=ours)
    by_call = Durations("seconds", "Time.", ["method", "code"], BOUNDS, registry=ours)
    alone = Durations("alone_seconds", "Time.", (), BOUNDS, registry=ours)
    counter = Counter("calls", "Calls.", ["method", "code"], registry=theirs)
    histogram = Histogram("seconds", "Time.", ["method", "code"], buckets=BOUNDS, registry=theirs)
    one = Histogram("alone_seconds", "Time.", buckets=BOUNDS, registry=theirs)
    for labels, seconds in events:
        counts.add(*labels)
        by_call.observe(seconds, *labels)
        alone.observe(seconds)
        counter.labels(*labels).inc()
        histogram.labels(*labels).observe(seconds)
        one.observe(seconds)
    expected = [line for line in generate_latest(theirs).splitlines() if b"_created" not in line]
    assert generate_latest(ours).splitlines() == expected
