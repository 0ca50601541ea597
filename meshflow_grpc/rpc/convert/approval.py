"""Approvals as protobuf messages, and decisions from JSON bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc._gen.meshflow.v1 import approval_service_pb2
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.governance.policy_fields import kind_of
from meshflow_grpc.rpc.convert.run_request import unknown_key
from meshflow_grpc.rpc.convert.struct import struct_to_dict
from meshflow_grpc.rpc.convert.timestamp import timestamp

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct

    from meshflow_grpc.domain.approval import Approval, ApprovalPage

_FIELDS = ("decision", "comment", "expected_action_digest")
_CAMEL = {"expectedActionDigest": "expected_action_digest"}


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
    )


def page_to_proto(page: ApprovalPage) -> approval_service_pb2.ListApprovalsResponse:
    """One page of approvals."""
    return approval_service_pb2.ListApprovalsResponse(
        approvals=map(approval_to_proto, page.approvals), next_page_token=page.next_page_token
    )


def decision_from_json(body: Struct) -> dict[str, str]:
    """``decision``, and where given ``comment`` and ``expected_action_digest``; raises InvalidRequestError naming every problem."""
    given = {_CAMEL.get(key, key): value for key, value in struct_to_dict(body).items()}
    fields = {key: value for key, value in given.items() if value is not None or key not in _FIELDS}
    problems = [FieldViolation(key, unknown_key(key, _FIELDS)) for key in fields if key not in _FIELDS]
    problems += [
        FieldViolation(key, f"expected a string, got {kind_of(fields[key])}")
        for key in _FIELDS
        if key in fields and not isinstance(fields[key], str)
    ]
    if "decision" not in fields:
        problems.append(FieldViolation("decision", "is required: approve or reject"))
    if problems:
        raise InvalidRequestError.of(*problems)
    return {key: str(value) for key, value in fields.items()}
