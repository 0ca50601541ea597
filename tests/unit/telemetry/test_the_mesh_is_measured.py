"""Metrics of the mesh agree with what happened in it."""

from __future__ import annotations

from dataclasses import replace

from meshflow_grpc.domain.mesh import MeshChange, MeshChangeKind, NodeView, PeerHealth
from meshflow_grpc.telemetry.mesh_metrics import MAX_PEERS
from meshflow_grpc.telemetry.metrics import Metrics
from tests.fakes.mesh import mesh_node


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The value of one series."""
    return metrics.registry.get_sample_value(name, labels)


def test_calls_to_peers_are_counted() -> None:
    """By outcome, with their time and bytes."""
    metrics = Metrics()
    metrics.peer_called("build.ai", ok=True, seconds=0.05, sent=100, received=300)
    metrics.peer_called("build.ai", ok=False, seconds=4.0, sent=10, received=0)

    assert sample(metrics, "meshflow_mesh_requests_total", peer="build.ai", outcome="ok") == 1
    assert sample(metrics, "meshflow_mesh_requests_total", peer="build.ai", outcome="failed") == 1
    assert sample(metrics, "meshflow_mesh_request_duration_seconds_sum", peer="build.ai") == 4.05
    assert sample(metrics, "meshflow_mesh_bytes_total", peer="build.ai", direction="sent") == 110
    assert sample(metrics, "meshflow_mesh_bytes_total", peer="build.ai", direction="received") == 300


def test_changes_are_counted_by_kind() -> None:
    """Whatever node it was."""
    metrics = Metrics()
    for slug in ("build.ai", "marco.ai"):
        metrics.mesh_changed(MeshChange(MeshChangeKind.NODE_UNHEALTHY, slug, "id", "now"))

    assert sample(metrics, "meshflow_mesh_changes_total", kind="node_unhealthy") == 2


def test_gauges_of_nodes_are_read_when_the_metrics_are() -> None:
    """A node that left leaves them too; one not yet checked is neither well nor unwell."""
    metrics, views = Metrics(), []
    metrics.watch_mesh(lambda: tuple(views))
    view = NodeView(mesh_node("build.ai"))
    views[:] = [view]
    assert sample(metrics, "meshflow_mesh_node_live", peer="build.ai") == 1
    assert sample(metrics, "meshflow_mesh_node_healthy", peer="build.ai") is None
    views[:] = [replace(view, live=False, health=PeerHealth.UNHEALTHY, breaker="half_open")]
    assert sample(metrics, "meshflow_mesh_node_live", peer="build.ai") == 0
    assert sample(metrics, "meshflow_mesh_node_healthy", peer="build.ai") == 0
    assert sample(metrics, "meshflow_mesh_breaker_state", peer="build.ai") == 1
    views.clear()

    assert sample(metrics, "meshflow_mesh_node_live", peer="build.ai") is None


def test_peers_beyond_the_bound_are_counted_together() -> None:
    """No mesh grows the metrics without end."""
    metrics = Metrics()
    for number in range(MAX_PEERS + 2):
        metrics.peer_called(f"n{number}", ok=True, seconds=0.001, sent=0, received=0)

    assert sample(metrics, "meshflow_mesh_requests_total", peer="other", outcome="ok") == 2
