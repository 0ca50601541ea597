"""How long what people wrote is kept (GDPR Art. 5(1)(e)): said when a run starts, and counted from its end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

PAYLOAD_DAYS: Final = "payload_days"
"""The label of a request that shortens the server's time, and the fact of the run's first entry that says what holds."""
MAX_DAYS: Final = 36_525


def days_kept(labels: Mapping[str, str], server_days: int | None) -> int | None:
    """Days after its end that a run's payloads are kept: the shorter of server's and request's; None for as long as the run.

    Raises InvalidRequestError for a label that is no number of days.
    """
    text = labels.get(PAYLOAD_DAYS)
    if text is None:
        return server_days
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_DAYS):
        problem = f"must be a whole number of days from 1 to {MAX_DAYS}, got {text!r}"
        raise InvalidRequestError.of(FieldViolation(f"labels.{PAYLOAD_DAYS}", problem))
    return min(int(text), server_days or MAX_DAYS)


def kept_until(end: str, days: int) -> datetime:
    """When the payloads of a run that ended then have to be gone."""
    return datetime.fromisoformat(end) + timedelta(days=days)


def overdue(end: str, days: int, now: str) -> bool:
    """Whether they have to be gone by now."""
    return datetime.fromisoformat(now) >= kept_until(end, days)
