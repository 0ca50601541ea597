"""A delivery that is owed when a run ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunWebhook:
    """Who is told of a run's end, and when it is tried next. Times are RFC 3339 UTC; ``attempts`` counts tries begun."""

    run_id: str
    tenant_id: str
    url: str
    create_time: str
    due_time: str
    attempts: int = 0
