"""Metrics of the mesh: calls to each peer, how peers do, and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily

from meshflow_grpc.domain.mesh import MeshChangeKind, PeerHealth
from meshflow_grpc.telemetry.bounded_names import BoundedNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry, Metric

    from meshflow_grpc.domain.mesh import MeshChange, NodeView

_CALL_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
MAX_PEERS = 1_000
_BREAKER_VALUES = {"closed": 0.0, "half_open": 1.0, "open": 2.0}


class MeshMetrics:
    """Implements ports.observer.MeshObserver."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._peer = BoundedNames(MAX_PEERS)
        self._changes = Counter("meshflow_mesh_changes", "What happened in the mesh.", ["kind"], registry=registry)
        for kind in MeshChangeKind:  # an alert sees no increase in a series that begins at 1
            self._changes.labels(kind.value)
        self._node_refusals = Counter(
            "meshflow_mesh_refusals", "Calls of nodes that proved nothing.", ["cause"], registry=registry
        )
        self._requests = Counter("meshflow_mesh_requests", "Calls to peers.", ["peer", "outcome"], registry=registry)
        self._request_seconds = Histogram(
            "meshflow_mesh_request_duration_seconds",
            "Calls to peers.",
            ["peer"],
            buckets=_CALL_BUCKETS,
            registry=registry,
        )
        self._bytes = Counter(
            "meshflow_mesh_bytes", "Bytes to and from peers.", ["peer", "direction"], registry=registry
        )

    def watch_mesh(self, views: Callable[[], tuple[NodeView, ...]]) -> None:
        """Adds gauges of every peer, read when the metrics are."""
        self.registry.register(_Nodes(views))

    def mesh_changed(self, change: MeshChange) -> None:
        """See MeshObserver."""
        self._changes.labels(change.kind.value).inc()

    def node_refused(self, cause: str) -> None:
        """A call said that it comes from a node, and did not prove it."""
        self._node_refusals.labels(cause).inc()

    def peer_called(self, slug: str, *, ok: bool, seconds: float, sent: int, received: int) -> None:
        """See MeshObserver."""
        peer = self._peer(slug)
        self._requests.labels(peer, "ok" if ok else "failed").inc()
        self._request_seconds.labels(peer).observe(seconds)
        self._bytes.labels(peer, "sent").inc(sent)
        self._bytes.labels(peer, "received").inc(received)


class _Nodes:
    """A collector; nodes that are taken out of the registry leave the metrics too."""

    def __init__(self, views: Callable[[], tuple[NodeView, ...]]) -> None:
        self._views = views

    def collect(self) -> Iterator[Metric]:
        live = GaugeMetricFamily("meshflow_mesh_node_live", "1 while heartbeats come in time.", labels=["peer"])
        healthy = GaugeMetricFamily(
            "meshflow_mesh_node_healthy", "1 while health checks are answered; none yet: absent.", labels=["peer"]
        )
        breaker = GaugeMetricFamily("meshflow_mesh_breaker_state", "0 closed, 1 half-open, 2 open.", labels=["peer"])
        for view in {view.node.slug: view for view in self._views()[:MAX_PEERS]}.values():
            peer = [view.node.slug]
            live.add_metric(peer, float(view.live))
            breaker.add_metric(peer, _BREAKER_VALUES[view.breaker])
            if view.health is not PeerHealth.UNKNOWN:
                healthy.add_metric(peer, float(view.health is PeerHealth.HEALTHY))
        yield from (live, healthy, breaker)
