"""Approvals as protobuf messages, and decisions from JSON bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc._gen.meshflow.v1 import approval_service_pb2
from meshflow_grpc.commands.decide_approval import DECISIONS
from meshflow_grpc.rpc.convert.json_request import typed_fields
from meshflow_grpc.rpc.convert.timestamp import timestamp

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct

    from meshflow_grpc.domain.approval import Approval, ApprovalPage

_FIELDS = {"decision": str, "comment": str, "expected_action_digest": str, "break_glass": bool}


def approval_to_proto(approval: Approval) -> approval_service_pb2.Approval:
    """Fields that do not apply stay absent."""
    return approval_service_pb2.Approval(
        approval_id=approval.approval_id,
        run_id=approval.run_id,
        node_id=approval.node_id,
        step_id=approval.step_id,
        status=approval.status.value,
        reason=approval.reason,
        risk=approval.risk,
        action_digest=approval.action_digest,
        input=approval.input,
        requester=approval.requester,
        reviewer=approval.reviewer,
        comment=approval.comment,
        create_time=timestamp(approval.create_time),
        expire_time=timestamp(approval.expire_time),
        decide_time=None if approval.decide_time is None else timestamp(approval.decide_time),
        break_glass=approval.break_glass,
        review_run_id=approval.review_run_id,
    )


def page_to_proto(page: ApprovalPage) -> approval_service_pb2.ListApprovalsResponse:
    """One page of approvals."""
    return approval_service_pb2.ListApprovalsResponse(
        approvals=map(approval_to_proto, page.approvals), next_page_token=page.next_page_token
    )


def decision_from_json(body: Struct) -> dict[str, Any]:
    """``decision``, and where given the other fields of a decision; raises InvalidRequestError naming every problem."""
    return typed_fields(body, _FIELDS, {"decision": f"one of {', '.join(DECISIONS)}"})
