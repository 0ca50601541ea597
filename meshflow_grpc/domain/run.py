"""A run: one execution of a workflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from meshflow_grpc.domain.usage import ZERO_USAGE, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue


class RunStatus(StrEnum):
    """Where a run stands. Running and paused runs go on; all others have ended."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    BLOCKED = "blocked"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether no further step will be taken."""
        return self not in _GOING_ON


_GOING_ON = frozenset({RunStatus.RUNNING, RunStatus.PAUSED})


class OnDisconnect(StrEnum):
    """What happens when the caller of Run or StreamRun goes away."""

    CANCEL = "cancel"
    CONTINUE = "continue"


class EventView(StrEnum):
    """Which events a stream shows."""

    BASIC = "basic"
    FULL = "full"


class CancelReason(StrEnum):
    """Why a run was cancelled, as the ledger says it."""

    DISCONNECT = "disconnect"
    DEADLINE = "deadline"
    REQUEST = "request"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. ``id`` is pseudonymous and goes in the ledger; ``method`` says how it was proven.

    ``auth_time`` is when they signed in, in seconds since 1970; None for credentials that do not say.
    """

    id: str
    tenant_id: str
    roles: frozenset[str] = frozenset()
    method: str = "none"
    auth_time: float | None = None


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run. ``policy`` holds only the fields the caller set, by name, already typed and range-checked."""

    task: str | None = None
    input: Mapping[str, JsonValue] | None = None
    policy: Mapping[str, object] = field(default_factory=dict)
    workflow: str = "default"
    workflow_yaml: str | None = None
    session_id: str | None = None
    request_id: str | None = None
    on_disconnect: OnDisconnect = OnDisconnect.CANCEL
    event_view: EventView = EventView.BASIC
    expected_policy_digest: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    webhook: str | None = None


RECORDED_WORKFLOW = "(recorded)"
"""Workflow of runs whose steps a program recorded by hand; no definition has this name."""

NO_POLICY_DIGEST = "0" * 64
"""What such a run has in place of its policy's digest: no stage held it to anything."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended, or why it waits."""

    status: RunStatus
    output: str = ""
    blocked_by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """The decision a run waits for."""

    approval_id: str
    node_id: str
    reason: str
    expire_time: str


_NO_LABELS: Mapping[str, str] = MappingProxyType({})


class Run(NamedTuple):
    """A run as it stands: a projection of its ledger entries. Times are RFC 3339 UTC strings with milliseconds."""

    run_id: str
    tenant_id: str
    workflow: str
    status: RunStatus
    policy_digest: str
    policy: Mapping[str, JsonValue]
    create_time: str
    update_time: str
    principal_id: str = ""
    output: str = ""
    usage: Usage = ZERO_USAGE
    entries: int = 0
    head_hash: str = "0" * 64
    blocked_by: str | None = None
    reason: str | None = None
    session_id: str | None = None
    request_id: str | None = None
    labels: Mapping[str, str] = _NO_LABELS
    pending_approval: PendingApproval | None = None
