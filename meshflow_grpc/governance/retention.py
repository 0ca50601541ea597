"""How long a run is kept: what the operator set, raised by what the run's compliance profiles demand. Floors only lengthen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.run import Run

LEAST_DAYS: Final = 183
"""No ledger keeps runs for less: EU AI Act, Art. 19(1) and 26(6), six months."""


LEGAL_HOLD: Final = "legal_hold"


def hold_of(labels: Mapping[str, str]) -> str:
    """The legal hold a run is under, from its label; empty without one."""
    return labels.get(LEGAL_HOLD, "").strip()


@dataclass(frozen=True, slots=True)
class RetentionFloor:
    """The least days a source demands."""

    days: int
    source: str


PROFILE_RETENTION: Final = {
    "hipaa": RetentionFloor(2192, "45 CFR 164.316(b)(2): 6 years"),
    "sox": RetentionFloor(2557, "SOX 802, 17 CFR 210.2-06: 7 years"),
}


@dataclass(frozen=True, slots=True)
class RetentionVerdict:
    """What is done with a run, and why. ``due`` when the operator's own time has passed, whether or not it is deleted.

    ``erase`` says that only its payloads go: the time that its start gave them is over.
    """

    run: Run
    delete: bool
    due: bool
    why: str
    erase: bool = False


def retention_of(run: Run, keep_days: int | None, now: str) -> RetentionVerdict:
    """Judges a run: it is deleted when it ended longer ago than every floor demands, and it is not immutable.

    Without ``keep_days`` every run is kept.
    """
    if not run.status.ended:
        return RetentionVerdict(run, delete=False, due=False, why=f"it is {run.status.value}")
    if keep_days is None:
        return RetentionVerdict(run, delete=False, due=False, why="runs are kept")
    ended, current = datetime.fromisoformat(run.update_time), datetime.fromisoformat(now)
    if current - ended < timedelta(days=keep_days):
        return RetentionVerdict(run, delete=False, due=False, why=f"it is younger than {keep_days} days")
    if hold := hold_of(run.labels):
        return RetentionVerdict(run, delete=False, due=True, why=f"it is under a legal hold ({hold})")
    if run.policy.get("immutable_audit") is True:
        return RetentionVerdict(run, delete=False, due=True, why="policy.immutable_audit: it is never deleted")
    floor = _floor(run.policy)
    if floor is not None and current - ended < timedelta(days=floor.days):
        until = (ended + timedelta(days=floor.days)).date().isoformat()
        return RetentionVerdict(run, delete=False, due=True, why=f"kept until {until} by {floor.source}")
    return RetentionVerdict(run, delete=True, due=True, why=f"it ended on {ended.date()}, {keep_days} days are over")


def _floor(policy: Mapping[str, object]) -> RetentionFloor | None:
    """The longest floor of a policy's profiles; the mode hipaa is the profile."""
    profiles = {str(policy.get("mode", "")), *cast("Sequence[str]", policy.get("compliance") or ())}
    floors = [PROFILE_RETENTION[profile] for profile in profiles if profile in PROFILE_RETENTION]
    return max(floors, key=lambda floor: floor.days, default=None)
