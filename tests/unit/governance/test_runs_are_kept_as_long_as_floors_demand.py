"""Retention: the operator's days, raised by the run's profiles; immutable and unfinished runs are not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshflow_grpc.config.ledger import LedgerSettings
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.governance.retention import LEAST_DAYS, PROFILE_RETENTION, retention_of
from tests.conformance.drafts import new_run

ENDED = "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("policy", "now", "delete", "why"),
    [
        ({}, "2026-12-31T00:00:00.000Z", False, "younger than 365"),
        ({}, "2027-01-01T00:00:00.000Z", True, "ended on 2026-01-01"),
        ({"immutable_audit": True}, "2099-01-01T00:00:00.000Z", False, "immutable_audit"),
        ({"compliance": ["hipaa"]}, "2031-12-30T00:00:00.000Z", False, "until 2032-01-02 by 45 CFR 164.316(b)(2)"),
        ({"mode": "hipaa"}, "2031-12-30T00:00:00.000Z", False, "45 CFR"),
        ({"compliance": ["hipaa"]}, "2032-01-02T00:00:00.000Z", True, "365 days are over"),
        ({"compliance": ["hipaa", "sox"]}, "2032-01-02T00:00:00.000Z", False, "17 CFR 210.2-06"),
        ({"compliance": ["sox", "gdpr"]}, "2033-01-02T00:00:00.000Z", True, "365 days"),
    ],
)
def test_a_run_is_deleted_after_every_floor(policy: dict[str, object], now: str, delete: bool, why: str) -> None:
    """The longest time wins, and the verdict says which."""
    run = new_run("run_1", policy=policy)._replace(status=RunStatus.COMPLETED, update_time=ENDED)
    verdict = retention_of(run, 365, now)
    assert verdict.delete is delete
    assert why in verdict.why


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.PAUSED])
def test_unfinished_runs_stay(status: RunStatus) -> None:
    """However old."""
    run = new_run("run_1")._replace(status=status, update_time=ENDED)
    assert not retention_of(run, 365, "2099-01-01T00:00:00.000Z").delete


def test_the_documented_floors_are_the_floors() -> None:
    """docs/storage.md has a row for each, and the setting takes no less."""
    page = (Path(__file__).parents[3] / "docs" / "storage.md").read_text(encoding="utf-8")
    for name, floor in PROFILE_RETENTION.items():
        assert f"`{name}` | {floor.days} | {floor.source} |" in page
    assert f"| every run | {LEAST_DAYS} |" in page
    with pytest.raises(ValueError, match="183"):
        LedgerSettings(retention_days=LEAST_DAYS - 1)
