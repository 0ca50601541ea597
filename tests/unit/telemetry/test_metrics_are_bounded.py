"""What is counted, and that no caller can make the metrics grow without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.ports.observer import StepRecord
from meshflow_grpc.telemetry.bounded_names import MAX_NAMES, OTHER, BoundedNames
from meshflow_grpc.telemetry.metrics import Metrics
from meshflow_grpc.telemetry.observers import Observers

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def _run(workflow: str = "default", status: RunStatus = RunStatus.COMPLETED, blocked_by: str | None = None) -> Run:
    times = ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:02.500Z")
    return Run("run_1", "tenant", workflow, status, "digest", {}, *times, blocked_by=blocked_by)


def _value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_names_beyond_the_limit_are_counted_as_other() -> None:
    """The first hundred keep their names for good; whatever comes later shares one series."""
    names = BoundedNames()
    assert [names(f"w{i}") for i in range(MAX_NAMES)] == [f"w{i}" for i in range(MAX_NAMES)]
    assert (names("one more"), names("w0")) == (OTHER, "w0")


def test_workflow_names_of_callers_cannot_grow_the_metrics() -> None:
    """A thousand workflows make a hundred and one series."""
    metrics = Metrics()
    for i in range(1000):
        metrics.run_started(_run(f"w{i}"))
    (family,) = [f for f in metrics.registry.collect() if f.name == "meshflow_runs_started"]
    assert len(family.samples) == MAX_NAMES + 1
    assert _value(metrics.registry, "meshflow_runs_started_total", workflow=OTHER) == 1000 - MAX_NAMES


def test_a_run_is_counted_with_its_end_and_its_duration() -> None:
    """The status, the stage that blocked it, and the seconds it took."""
    metrics = Metrics()
    metrics.run_ended(_run(status=RunStatus.BLOCKED, blocked_by="budget_check"))
    labels = {"workflow": "default", "status": "blocked", "blocked_by": "budget_check"}
    assert _value(metrics.registry, "meshflow_runs_ended_total", **labels) == 1
    assert _value(metrics.registry, "meshflow_run_duration_seconds_sum", status="blocked") == 2.5


def test_a_step_is_counted_with_what_it_used() -> None:
    """Tokens, dollars and grams, in these units."""
    metrics = Metrics()
    metrics.step_recorded(StepRecord("a", "committed", Usage(100, 20, 3_000_000_000, 500_000, 1), 40, None))
    registry = metrics.registry
    assert _value(registry, "meshflow_steps_total", verdict="committed") == 1
    assert _value(registry, "meshflow_tokens_total", direction="input") == 100
    assert _value(registry, "meshflow_tokens_total", direction="output") == 20
    assert _value(registry, "meshflow_cost_usd_total") == 3
    assert _value(registry, "meshflow_carbon_grams_total") == 0.5
    assert _value(registry, "meshflow_step_duration_seconds_sum") == pytest.approx(0.04)


def test_a_refusal_names_its_stage_and_reason() -> None:
    """And a missed service level is counted apart."""
    metrics = Metrics()
    metrics.step_recorded(StepRecord("a", "denied", Usage(), 1, False, "budget_check", "BUDGET_EXHAUSTED"))
    labels = {"stage": "budget_check", "reason": "BUDGET_EXHAUSTED"}
    assert _value(metrics.registry, "meshflow_step_refusals_total", **labels) == 1
    assert _value(metrics.registry, "meshflow_step_sla_missed_total") == 1


def test_ledger_writes_and_verifications_are_counted() -> None:
    """What the alert rules read."""
    metrics = Metrics()
    observer = Observers(metrics)
    observer.appended([EntryKind.LOOP_ITERATED, EntryKind.RUN_FINISHED], 0.25)
    observer.append_failed()
    observer.verified(intact=False)
    observer.verified(intact=True)
    observer.log_not_published(OSError())
    observer.emergency_access("run", "approval", "somebody")
    registry = metrics.registry
    assert _value(registry, "meshflow_ledger_entries_total", kind="loop_iterated") == 1
    assert _value(registry, "meshflow_ledger_append_seconds_sum") == 0.25
    assert _value(registry, "meshflow_ledger_append_failures_total") == 1
    assert _value(registry, "meshflow_ledger_verifications_total", result="tampered") == 1
    assert _value(registry, "meshflow_ledger_verifications_total", result="intact") == 1
    assert _value(registry, "meshflow_log_publication_failures_total") == 1
    assert _value(registry, "meshflow_emergency_accesses_total") == 1


def test_gauges_are_read_when_the_metrics_are() -> None:
    """Not when they were registered."""
    metrics, runs = Metrics(), [0]
    metrics.watch(active_runs=lambda: runs[0], ready=lambda: True)
    runs[0] = 7
    assert _value(metrics.registry, "meshflow_runs_active") == 7
    assert _value(metrics.registry, "meshflow_ready") == 1


def test_series_that_alerts_wait_for_start_at_zero() -> None:
    """Prometheus sees no increase in a series whose first value is 1: the first tampering would go unnoticed."""
    registry = Metrics().registry
    assert _value(registry, "meshflow_ledger_verifications_total", result="tampered") == 0
    assert _value(registry, "meshflow_step_refusals_total", stage="audit_ledger", reason="STAGE_FAILED") == 0
    assert _value(registry, "meshflow_ledger_append_failures_total") == 0
    assert _value(registry, "meshflow_log_publication_failures_total") == 0
    assert _value(registry, "meshflow_emergency_accesses_total") == 0
