"""ApprovalService."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc._gen.meshflow.v1 import approval_service_pb2_grpc
from meshflow_grpc.rpc.call import current_principal
from meshflow_grpc.rpc.convert.approval import approval_to_proto, page_to_proto

if TYPE_CHECKING:
    from meshflow_grpc._gen.meshflow.v1 import approval_service_pb2
    from meshflow_grpc.commands.catalog import Commands


class ApprovalServicer(approval_service_pb2_grpc.ApprovalServiceServicer):
    """Human gates."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def ListApprovals(  # noqa: N802 - RPC name
        self, request: approval_service_pb2.ListApprovalsRequest, context: Any
    ) -> approval_service_pb2.ListApprovalsResponse:
        """See approval_service.proto."""
        page = await self._commands.list_approvals.execute(
            current_principal(), page_size=request.page_size, page_token=request.page_token, run_id=request.run_id
        )
        return page_to_proto(page)

    async def GetApproval(  # noqa: N802 - RPC name
        self, request: approval_service_pb2.GetApprovalRequest, context: Any
    ) -> approval_service_pb2.Approval:
        """See approval_service.proto."""
        return approval_to_proto(await self._commands.get_approval.execute(current_principal(), request.approval_id))

    async def DecideApproval(  # noqa: N802 - RPC name
        self, request: approval_service_pb2.DecideApprovalRequest, context: Any
    ) -> approval_service_pb2.Approval:
        """See approval_service.proto."""
        approval = await self._commands.decide_approval.execute(
            current_principal(),
            request.approval_id,
            decision=request.decision,
            comment=request.comment,
            expected_action_digest=request.expected_action_digest
            if request.HasField("expected_action_digest")
            else None,
            break_glass=request.break_glass,
        )
        return approval_to_proto(approval)
