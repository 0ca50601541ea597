"""How long profiles demand that a run's record is kept, and holds that forbid erasing it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import PermissionDeniedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue

# 45 CFR 164.316(b)(2); 17 CFR 210.2-06.
YEARS: dict[str, int] = {"hipaa": 6, "sox": 7}
LEGAL_HOLD = "legal_hold"


def retention_of(profiles: Iterable[str], start: str) -> Mapping[str, JsonValue] | None:
    """The longest retention that the profiles demand of a run started then: years, and the day it ends; None when none does."""
    demanded = {profile: YEARS[profile] for profile in profiles if profile in YEARS}
    if not demanded:
        return None
    years = max(demanded.values())
    return {"profiles": sorted(demanded), "until": _years_after(start, years), "years": years}


def check_not_held(run_id: str, labels: Mapping[str, str]) -> None:
    """Raises PermissionDeniedError for a run under a legal hold: nothing of it is erased."""
    hold = labels.get(LEGAL_HOLD, "").strip()
    if hold:
        raise PermissionDeniedError(
            f"run {run_id!r} is under a legal hold ({hold}): nothing of it is erased while labels.legal_hold names one",
            metadata={"run_id": run_id, "legal_hold": hold},
        )


def _years_after(start: str, years: int) -> str:
    """The day so many years later; 29 February becomes 1 March."""
    day = datetime.fromisoformat(start).date()
    try:
        return day.replace(year=day.year + years).isoformat()
    except ValueError:
        return day.replace(year=day.year + years, month=3, day=1).isoformat()
