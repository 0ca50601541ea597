"""What steps used, added up in integers and shown when the metrics are read: four counters less to lock for each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily

from meshflow_grpc.domain.usage import ZERO_USAGE, Usage, grams, usd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry, Metric


class Used:
    """A collector; one thread adds, any may read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sum = ZERO_USAGE
        registry.register(self)

    def add(self, usage: Usage) -> None:
        """Counts what a step used."""
        self._sum += usage

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        used = self._sum
        tokens = CounterMetricFamily("meshflow_tokens", "Tokens used.", labels=["direction"])
        tokens.add_metric(["input"], used.input_tokens)
        tokens.add_metric(["output"], used.output_tokens)
        yield tokens
        yield CounterMetricFamily("meshflow_cost_usd", "Money spent, in US dollars.", usd(used.cost_nano_usd))
        yield CounterMetricFamily("meshflow_carbon_grams", "Carbon dioxide emitted, in grams.", grams(used.carbon_ug))
