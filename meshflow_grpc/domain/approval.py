"""Human decisions about single steps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ApprovalStatus(StrEnum):
    """Where an approval stands. ``void``: the run ended without a decision."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    VOID = "void"


class Decision(StrEnum):
    """What a reviewer may decide."""

    APPROVE = "approve"
    REJECT = "reject"

    @property
    def status(self) -> ApprovalStatus:
        """Status of an approval that was decided so."""
        return ApprovalStatus.APPROVED if self is Decision.APPROVE else ApprovalStatus.REJECTED


class ReviewFinding(StrEnum):
    """What a second person may find of an emergency approval."""

    CONFIRM = "confirm"
    DISPUTE = "dispute"


@dataclass(frozen=True, slots=True)
class GrantedApproval:
    """What a step that was approved carries: the approval is of this action digest alone."""

    approval_id: str
    action_digest: str
    reviewer: str
    comment: str


@dataclass(frozen=True, slots=True)
class Approval:
    """A step that waits, or waited, for a human: a projection of its step_paused and gate_decided entries.

    ``input`` is what the step would be given, as JSON text; None when it was erased. ``attempt`` is the entry's.
    ``break_glass``: approved in an emergency by who may not; ``review_run_id`` records the review, where it was looked for.
    """

    approval_id: str
    run_id: str
    tenant_id: str
    node_id: str
    step_id: str
    attempt: int
    status: ApprovalStatus
    reason: str
    risk: str
    action_digest: str
    input: str | None
    requester: str
    create_time: str
    expire_time: str
    reviewer: str | None = None
    comment: str | None = None
    decide_time: str | None = None
    break_glass: bool = False
    review_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovalPage:
    """One page of approvals; an empty token means the last page."""

    approvals: tuple[Approval, ...]
    next_page_token: str
