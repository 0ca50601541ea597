"""Events as protobuf messages, and as lines of Server-Sent Events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToDict

from meshflow_grpc._gen.meshflow.v1 import event_pb2, run_pb2
from meshflow_grpc.rpc.convert.timestamp import timestamp

if TYPE_CHECKING:
    from meshflow_grpc.domain.event import RunEvent


def event_to_proto(event: RunEvent) -> event_pb2.RunEvent:
    """Fields that do not apply stay absent."""
    message = event_pb2.RunEvent(
        event_type=event.event_type.value,
        run_id=event.run_id,
        sequence=event.sequence,
        time=None if event.time is None else timestamp(event.time),
        agent_id=event.agent_id,
        node_id=event.node_id,
        role=event.role,
        step=event.step,
        tokens=event.tokens,
        cost_usd=event.cost_usd,
        carbon_g=event.carbon_g,
        uncertainty=event.uncertainty,
        output=event.output,
        stage=event.stage,
        blocked_by=event.blocked_by,
        reason=event.reason,
        status=event.status,
        tool=event.tool,
        offset=event.offset,
    )
    if event.loop_edge is not None:
        message.loop.edge = event.loop_edge
        message.loop.iteration = event.loop_iteration or 0
        message.loop.max = event.loop_max or 0
    if event.approval_id is not None:
        expires = None if event.approval_expire_time is None else timestamp(event.approval_expire_time)
        message.approval.CopyFrom(
            run_pb2.PendingApproval(
                approval_id=event.approval_id,
                node_id=event.node_id or "",
                reason=event.reason or "",
                expire_time=expires,
            )
        )
    return message


def sse_block(event: RunEvent) -> bytes:
    """The event as the JSON face writes it: ``id:`` is the sequence, so that Last-Event-ID resumes after it."""
    fields = MessageToDict(
        event_to_proto(event), preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    data = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
    head = "" if event.sequence is None else f"id: {event.sequence}\n"
    return f"{head}data: {data}\n\n".encode()


HEARTBEAT = b": heartbeat\n\n"
