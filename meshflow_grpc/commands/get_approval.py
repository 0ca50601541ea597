"""GetApproval: an approval as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.approval import Approval
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.emergency_reviews import EmergencyReviews
    from meshflow_grpc.engine.gates import Gates


class GetApprovalCommand:
    """Reads one approval of the caller's tenant."""

    def __init__(self, gates: Gates, reviews: EmergencyReviews) -> None:
        self._gates = gates
        self._reviews = reviews

    async def execute(self, principal: Principal, approval_id: str) -> Approval:
        """Raises ApprovalNotFoundError, also for another tenant's approval."""
        return await self._reviews.with_review(await self._gates.get(principal.tenant_id, approval_id))
