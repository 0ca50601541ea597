"""What this server knows of one node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.mesh import NodeView, PeerHealth, PeerMetrics
from meshflow_grpc.governance.circuit_breaker import BreakerState
from meshflow_grpc.mesh.breaker import PeerBreaker
from meshflow_grpc.mesh.latency import LatencyHistogram

if TYPE_CHECKING:
    from meshflow_grpc.domain.mesh import MeshNode
    from meshflow_grpc.domain.policy import CircuitBreakerConfig


class Peer:
    """One node: as registered, whether it lives, how it answers checks, its breaker, and how calls to it went."""

    __slots__ = (
        "beaten_at",
        "breaker",
        "bytes_received",
        "bytes_sent",
        "checks_failed",
        "failures",
        "health",
        "latency",
        "live",
        "node",
        "reported",
        "shown",
    )

    def __init__(self, node: MeshNode, config: CircuitBreakerConfig, beaten_at: float) -> None:
        self.node = node
        self.breaker = PeerBreaker(config)
        self.shown = BreakerState.CLOSED
        self.beaten_at = beaten_at
        self.live = False
        self.health = PeerHealth.UNKNOWN
        self.checks_failed = 0
        self.reported = (
            False  # as unhealthy, and not yet as recovered: a node that comes back elsewhere has recovered too
        )
        self.latency = LatencyHistogram()
        self.failures = 0
        self.bytes_sent = 0
        self.bytes_received = 0

    def count(self, *, ok: bool, latency_ms: float, sent: int, received: int) -> None:
        """Adds a call to the numbers."""
        self.latency.add(latency_ms)
        self.failures += not ok
        self.bytes_sent += sent
        self.bytes_received += received

    def metrics(self) -> PeerMetrics:
        """The numbers so far."""
        latency = self.latency
        return PeerMetrics(
            requests=latency.count,
            failures=self.failures,
            mean_ms=latency.mean(),
            p50_ms=latency.quantile(0.5),
            p99_ms=latency.quantile(0.99),
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
        )

    def view(self, now: float) -> NodeView:
        """The node as this server sees it."""
        return NodeView(self.node, self.health, self.breaker.state(now).value, self.live, self.metrics())
