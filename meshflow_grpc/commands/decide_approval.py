"""DecideApproval: a human's decision about one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.approval import Decision
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.engine.gates import Review

if TYPE_CHECKING:
    from meshflow_grpc.domain.approval import Approval
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.gates import Gates

MAX_COMMENT_CHARS = 4000


class DecideApprovalCommand:
    """Approves or rejects a step that waits, in the caller's tenant."""

    def __init__(self, gates: Gates) -> None:
        self._gates = gates

    async def execute(
        self,
        principal: Principal,
        approval_id: str,
        *,
        decision: str,
        comment: str = "",
        expected_action_digest: str | None = None,
    ) -> Approval:
        """Returns the approval when the decision is durable; see Gates.decide for what it raises."""
        problems = []
        if decision not in list(Decision):
            problems.append(FieldViolation("decision", f"must be one of {', '.join(Decision)}, got {decision!r}"))
        if len(comment) > MAX_COMMENT_CHARS:
            problems.append(FieldViolation("comment", f"must have at most {MAX_COMMENT_CHARS} characters"))
        if problems:
            raise InvalidRequestError.of(*problems)
        review = Review(Decision(decision), principal, comment, expected_action_digest)
        return await self._gates.decide(principal.tenant_id, approval_id, review)
