"""What a run's start says about keeping its record, and holds that forbid erasing anything of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import PermissionDeniedError
from meshflow_grpc.governance.retention import PROFILE_RETENTION, hold_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue


def retention_tag(profiles: Iterable[str], start: str) -> Mapping[str, JsonValue] | None:
    """The longest retention that the profiles demand of a run started then: its days, and when it ends; None when none does."""
    demanded = {profile: PROFILE_RETENTION[profile].days for profile in profiles if profile in PROFILE_RETENTION}
    if not demanded:
        return None
    days = max(demanded.values())
    until = (datetime.fromisoformat(start) + timedelta(days=days)).date().isoformat()
    return {"days": days, "profiles": sorted(demanded), "until": until}


def check_not_held(run_id: str, labels: Mapping[str, str]) -> None:
    """Raises PermissionDeniedError for a run under a legal hold: nothing of it is erased."""
    hold = hold_of(labels)
    if hold:
        raise PermissionDeniedError(
            f"run {run_id!r} is under a legal hold ({hold}): nothing of it is erased while labels.legal_hold names one",
            metadata={"run_id": run_id, "legal_hold": hold},
        )
