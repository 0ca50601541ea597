"""What a stream of a run shows: ledger entries as events, and live-only signals."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class EventType(StrEnum):
    """Names of events on the wire."""

    RUN_STARTED = "run_started"
    AGENT_COMPLETED = "agent_completed"
    LOOP_ITERATION = "loop_iteration"
    GATE_PAUSED = "gate_paused"
    GATE_RESUMED = "gate_resumed"
    POLICY_VIOLATION = "policy_violation"
    RUN_COMPLETED = "run_completed"
    NODE_STARTED = "node_started"
    NODE_COMPLETED = "node_completed"
    STAGE_DECIDED = "stage_decided"
    TOKEN_DELTA = "token_delta"


BASIC_EVENTS = frozenset(
    {
        EventType.RUN_STARTED,
        EventType.AGENT_COMPLETED,
        EventType.LOOP_ITERATION,
        EventType.GATE_PAUSED,
        EventType.GATE_RESUMED,
        EventType.POLICY_VIOLATION,
        EventType.RUN_COMPLETED,
    }
)


class RunEvent(NamedTuple):
    """One event. ``sequence`` is the ledger entry's place in the run's chain; None on live-only events.

    ``offset`` is where the output of a token_delta goes: what was there, and after it, is replaced.
    """

    event_type: EventType
    run_id: str
    sequence: int | None = None
    time: str | None = None
    agent_id: str | None = None
    node_id: str | None = None
    role: str | None = None
    step: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    carbon_g: float | None = None
    uncertainty: float | None = None
    output: str | None = None
    stage: str | None = None
    blocked_by: str | None = None
    reason: str | None = None
    status: str | None = None
    loop_edge: str | None = None
    loop_iteration: int | None = None
    loop_max: int | None = None
    approval_id: str | None = None
    approval_expire_time: str | None = None
    tool: str | None = None
    offset: int | None = None
