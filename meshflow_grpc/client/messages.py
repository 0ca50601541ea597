"""The messages a client gets, and their JSON form: the one REST shows, with every integer as a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict

from meshflow_grpc._gen.meshflow.v1.approval_service_pb2 import Approval, ListApprovalsResponse
from meshflow_grpc._gen.meshflow.v1.event_pb2 import LoopProgress, RunEvent
from meshflow_grpc._gen.meshflow.v1.ledger_pb2 import LedgerEntry
from meshflow_grpc._gen.meshflow.v1.ledger_service_pb2 import (
    ChainFault,
    EraseRunResponse,
    ListEntriesResponse,
    PayloadErasure,
    VerifyRunResponse,
)
from meshflow_grpc._gen.meshflow.v1.log_pb2 import ConsistencyProof, InclusionProof, TreeHead
from meshflow_grpc._gen.meshflow.v1.mesh_pb2 import MeshChange, MeshNode
from meshflow_grpc._gen.meshflow.v1.mesh_service_pb2 import ListNodesResponse, ResolveNodeResponse
from meshflow_grpc._gen.meshflow.v1.policy_pb2 import Policy
from meshflow_grpc._gen.meshflow.v1.run_pb2 import LedgerHead, PendingApproval, RunResponse
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import (
    CheckRunResponse,
    DiffRunsResponse,
    ListRunsResponse,
    NodeChange,
    PolicyViolation,
)
from meshflow_grpc._gen.meshflow.v1.system_service_pb2 import GetHealthResponse
from meshflow_grpc._gen.meshflow.v1.workflow_service_pb2 import (
    ListWorkflowsResponse,
    Workflow,
    WorkflowApproval,
    WorkflowValidation,
)

if TYPE_CHECKING:
    from google._upb._message import FieldDescriptor as UpbFieldDescriptor
    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

__all__ = [
    "Approval",
    "ChainFault",
    "CheckRunResponse",
    "ConsistencyProof",
    "DiffRunsResponse",
    "EraseRunResponse",
    "GetHealthResponse",
    "InclusionProof",
    "LedgerEntry",
    "LedgerHead",
    "ListApprovalsResponse",
    "ListEntriesResponse",
    "ListNodesResponse",
    "ListRunsResponse",
    "ListWorkflowsResponse",
    "LoopProgress",
    "MeshChange",
    "MeshNode",
    "NodeChange",
    "PayloadErasure",
    "PendingApproval",
    "Policy",
    "PolicyViolation",
    "ResolveNodeResponse",
    "RunEvent",
    "RunResponse",
    "TreeHead",
    "VerifyRunResponse",
    "Workflow",
    "WorkflowApproval",
    "WorkflowValidation",
    "to_json",
]


def to_json(message: Message) -> dict[str, Any]:
    """Returns a message as JSON in the order of its fields; absent optional fields are left out, others never."""
    return {field.name: _value(message, field) for field in message.DESCRIPTOR.fields if _shown(message, field)}


def _shown(message: Message, field: FieldDescriptor | UpbFieldDescriptor) -> bool:
    return not field.has_presence or message.HasField(field.name)


def _value(message: Message, field: FieldDescriptor | UpbFieldDescriptor) -> object:
    value: Any = getattr(message, field.name)
    if field.message_type is None:
        return list(value) if field.is_repeated else value
    if field.message_type.GetOptions().map_entry:
        return dict(sorted(value.items()))
    return [_object(item) for item in value] if field.is_repeated else _object(value)


def _object(message: Message) -> object:
    # Timestamps and structs have a JSON form of their own.
    if message.DESCRIPTOR.full_name.startswith("google.protobuf."):
        return MessageToDict(message)
    return to_json(message)
