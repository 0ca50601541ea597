"""DecideApproval: a human's decision about one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.approval import Decision, ReviewFinding
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.engine.gates import Review

if TYPE_CHECKING:
    from meshflow_grpc.domain.approval import Approval
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.emergency_reviews import EmergencyReviews
    from meshflow_grpc.engine.gates import Gates

MAX_COMMENT_CHARS = 4000
DECISIONS = (*Decision, *ReviewFinding)


class DecideApprovalCommand:
    """Approves or rejects a step that waits, in the caller's tenant."""

    def __init__(self, gates: Gates, reviews: EmergencyReviews) -> None:
        self._gates = gates
        self._reviews = reviews

    async def execute(
        self,
        principal: Principal,
        approval_id: str,
        *,
        decision: str,
        comment: str = "",
        expected_action_digest: str | None = None,
        break_glass: bool = False,
    ) -> Approval:
        """Returns the approval when the decision, or the review of an emergency, is durable.

        See Gates.decide and EmergencyReviews.review for what it raises.
        """
        problems = []
        if decision not in DECISIONS:
            problems.append(FieldViolation("decision", f"must be one of {', '.join(DECISIONS)}, got {decision!r}"))
        if break_glass and decision in list(ReviewFinding):
            problems.append(FieldViolation("break_glass", "is for approving, not for reviewing"))
        if len(comment) > MAX_COMMENT_CHARS:
            problems.append(FieldViolation("comment", f"must have at most {MAX_COMMENT_CHARS} characters"))
        if problems:
            raise InvalidRequestError.of(*problems)
        if decision in list(ReviewFinding):
            finding = ReviewFinding(decision)
            return await self._reviews.review(principal.tenant_id, approval_id, finding, principal, comment)
        review = Review(Decision(decision), principal, comment, expected_action_digest, break_glass)
        return await self._gates.decide(principal.tenant_id, approval_id, review)
