"""Prometheus metrics. Labels are bounded: names that users choose are counted apart only up to a limit, then as `other`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from meshflow_grpc.kernel.pipeline import STAGE_NAMES
from meshflow_grpc.telemetry.bounded_names import BoundedNames
from meshflow_grpc.telemetry.mesh_metrics import MeshMetrics
from meshflow_grpc.telemetry.tallies import Counts, Durations
from meshflow_grpc.telemetry.used import Used

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshflow_grpc.domain.ledger_entry import EntryKind
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ports.observer import StepRecord

_STEP_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_RUN_BUCKETS = (0.01, 0.05, 0.25, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)
_WRITE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10)
_RPC_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter, which no rule of ours reads


class Metrics(MeshMetrics):
    """Implements ports.observer.Observer and rpc.interceptors.metrics.RpcObserver."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        super().__init__(registry)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._workflow = BoundedNames()
        self._runs_started = Counts("meshflow_runs_started", "Runs started.", ["workflow"], registry=registry)
        self._runs_ended = Counts(
            "meshflow_runs_ended", "Runs that ended.", ["workflow", "status", "blocked_by"], registry=registry
        )
        self._run_seconds = Durations(
            "meshflow_run_duration_seconds",
            "From a run's start to its end, waiting for humans included.",
            ["status"],
            _RUN_BUCKETS,
            registry=registry,
        )
        self._steps = Counts("meshflow_steps", "Steps recorded in the ledger.", ["verdict"], registry=registry)
        self._step_seconds = Durations(
            "meshflow_step_duration_seconds", "A step in the kernel.", (), _STEP_BUCKETS, registry=registry
        )
        self._refusals = Counter(
            "meshflow_step_refusals", "Steps that a stage refused.", ["stage", "reason"], registry=registry
        )
        self._sla_missed = Counter("meshflow_step_sla_missed", "Steps slower than their SLA.", registry=registry)
        self._used = Used(registry)
        self._entries = Counts("meshflow_ledger_entries", "Entries appended.", ["kind"], registry=registry)
        self._append_seconds = Durations(
            "meshflow_ledger_append_seconds", "Until an append is durable.", (), _WRITE_BUCKETS, registry=registry
        )
        self._append_failures = Counter("meshflow_ledger_append_failures", "Appends that failed.", registry=registry)
        self._verifications = Counter(
            "meshflow_ledger_verifications", "Verifications of runs.", ["result"], registry=registry
        )
        self._unpublished = Counter(
            "meshflow_log_publication_failures", "Times the log's head could not be published.", registry=registry
        )
        self._emergencies = Counter("meshflow_emergency_accesses", "Approvals by break_glass.", registry=registry)
        self._rpcs = Counts("meshflow_rpcs", "Calls answered.", ["method", "code"], registry=registry)
        self._rpc_seconds = Durations(
            "meshflow_rpc_duration_seconds", "Calls, streams included.", ["method"], _RPC_BUCKETS, registry=registry
        )
        self._reason = BoundedNames()
        self._show_zeroes()

    def _show_zeroes(self) -> None:
        """A counter that first appears at 1 has not increased in Prometheus' eyes: alerts on it would sleep through the first time."""
        for result in ("intact", "tampered"):
            self._verifications.labels(result)
        for stage in STAGE_NAMES:
            self._refusals.labels(stage, self._reason("STAGE_FAILED"))

    def watch(self, *, active_runs: Callable[[], int], ready: Callable[[], bool]) -> None:
        """Adds gauges that are read when the metrics are."""
        gauge = Gauge("meshflow_runs_active", "Runs this process executes now.", registry=self.registry)
        gauge.set_function(active_runs)
        gauge = Gauge("meshflow_ready", "1 while the server takes runs.", registry=self.registry)
        gauge.set_function(lambda: float(ready()))

    def watch_certificate(self, end: Callable[[], float]) -> None:
        """Adds when the public port's certificate ends, in seconds since 1970."""
        text = "When the public port's certificate ends, in seconds since 1970."
        Gauge("meshflow_certificate_end_seconds", text, registry=self.registry).set_function(end)

    def run_started(self, run: Run) -> None:
        """See RunObserver."""
        self._runs_started.add(self._workflow(run.workflow))

    def run_ended(self, run: Run) -> None:
        """See RunObserver."""
        status = run.status.value
        self._runs_ended.add(self._workflow(run.workflow), status, run.blocked_by or "")
        self._run_seconds.observe(_seconds(run.create_time, run.update_time), status)

    def step_recorded(self, step: StepRecord) -> None:
        """See StepObserver."""
        self._steps.add(step.verdict)
        self._step_seconds.observe(step.latency_ms / 1000)
        usage = step.usage
        if usage.tokens:
            self._used.add(usage)
        if step.blocked_by is not None:
            self._refusals.labels(step.blocked_by, self._reason(step.reason or "")).inc()
        if step.sla_met is False:
            self._sla_missed.inc()

    def appended(self, kinds: Sequence[EntryKind], seconds: float) -> None:
        """See LedgerObserver."""
        for kind in kinds:
            self._entries.add(kind)
        self._append_seconds.observe(seconds)

    def append_failed(self) -> None:
        """See LedgerObserver."""
        self._append_failures.inc()

    def verified(self, *, intact: bool) -> None:
        """See LedgerObserver."""
        self._verifications.labels("intact" if intact else "tampered").inc()

    def log_not_published(self, error: Exception) -> None:
        """See LedgerObserver."""
        self._unpublished.inc()

    def emergency_access(self, run_id: str, approval_id: str, principal_id: str) -> None:
        """See AccessObserver."""
        self._emergencies.inc()

    def answered(self, method: str, code: str, seconds: float) -> None:
        """See RpcObserver."""
        self._rpcs.add(method, code)
        self._rpc_seconds.observe(seconds, method)


def _seconds(start: str, end: str) -> float:
    """Between two RFC 3339 times."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
