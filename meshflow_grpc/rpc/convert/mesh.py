"""Nodes of the mesh and its changes as protobuf messages."""

from __future__ import annotations

import json
from types import NoneType
from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToDict

from meshflow_grpc._gen.meshflow.v1 import mesh_pb2, mesh_service_pb2
from meshflow_grpc.commands.register_node import NodeRegistration
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.mesh import Concern, NodeView, PeerTarget
from meshflow_grpc.rpc.convert.json_request import typed_fields
from meshflow_grpc.rpc.convert.timestamp import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.struct_pb2 import Struct

    from meshflow_grpc.domain.mesh import MeshChange, MeshNode, PeerMetrics

_FIELDS: dict[str, type] = {
    "slug": str,
    "endpoints": list,
    "concerns": list,
    "public_key": str,
    "tls": bool,
    "version": str,
    "ttl_s": float,
}


def view_to_proto(view: NodeView) -> mesh_pb2.MeshNode:
    """A node as this server sees it."""
    node = view.node
    return mesh_pb2.MeshNode(
        node_id=node.node_id,
        slug=node.slug,
        tenant_id=node.tenant_id,
        endpoints=node.endpoints,
        concerns=(mesh_pb2.MeshConcern(name=each.name, priority=each.priority) for each in node.concerns),
        public_key=node.public_key or "",
        tls=node.tls,
        version=node.version,
        register_time=timestamp(node.registered_at),
        heartbeat_time=timestamp(node.heartbeat_at),
        ttl_s=node.ttl_s,
        live=view.live,
        health=view.health.value,
        breaker=view.breaker,
        metrics=_metrics(view.metrics),
    )


def node_to_proto(node: MeshNode) -> mesh_pb2.MeshNode:
    """A node that has just registered."""
    return view_to_proto(NodeView(node))


def nodes_to_proto(views: Iterable[NodeView]) -> mesh_service_pb2.ListNodesResponse:
    """All nodes."""
    return mesh_service_pb2.ListNodesResponse(nodes=map(view_to_proto, views))


def change_to_proto(numbered: tuple[int, MeshChange]) -> mesh_pb2.MeshChange:
    """A change and its number."""
    number, change = numbered
    return mesh_pb2.MeshChange(
        sequence=number,
        kind=change.kind.value,
        slug=change.slug,
        node_id=change.node_id,
        time=timestamp(change.time),
        detail=change.detail,
    )


def change_sse_block(numbered: tuple[int, MeshChange]) -> bytes:
    """A change as Server-Sent Events write it: ``id:`` is its number."""
    fields = MessageToDict(change_to_proto(numbered), preserving_proto_field_name=True)
    fields["sequence"] = numbered[0]
    data = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
    return f"id: {numbered[0]}\ndata: {data}\n\n".encode()


def registration_from_proto(request: mesh_service_pb2.RegisterNodeRequest) -> NodeRegistration:
    """What a node's owner says of it."""
    return NodeRegistration(
        slug=request.slug,
        endpoints=tuple(request.endpoints),
        concerns=tuple(Concern(each.name, each.priority) for each in request.concerns),
        public_key=request.public_key,
        tls=request.tls,
        version=request.version,
        ttl_s=request.ttl_s,
    )


def registration_from_json(body: Struct) -> NodeRegistration:
    """The same from JSON; raises InvalidRequestError naming every problem."""
    fields = typed_fields(body, _FIELDS)
    endpoints, concerns = fields.pop("endpoints", []), fields.pop("concerns", [])
    wrong = [
        FieldViolation(f"endpoints[{i}]", "expected a string") for i, e in enumerate(endpoints) if type(e) is not str
    ]
    wrong += [
        FieldViolation(f"concerns[{i}]", 'expected an object such as {"name": "build", "priority": 10}')
        for i, each in enumerate(concerns)
        if not _is_concern(each)
    ]
    if wrong:
        raise InvalidRequestError.of(*wrong)
    found = tuple(Concern(each["name"], each.get("priority") or 0) for each in concerns)
    return NodeRegistration(**{"slug": "", **fields}, endpoints=tuple(endpoints), concerns=found)


def target_from_proto(request: mesh_service_pb2.ResolveNodeRequest) -> PeerTarget:
    """Whom somebody looks for."""
    return PeerTarget(request.slug or None, request.concern or None, tuple(request.failover))


def _is_concern(each: object) -> bool:
    if not isinstance(each, dict) or not {"name"} <= each.keys() <= {"name", "priority"}:
        return False
    return type(each["name"]) is str and type(each.get("priority")) in {int, NoneType}


def _metrics(metrics: PeerMetrics) -> mesh_pb2.PeerMetrics:
    return mesh_pb2.PeerMetrics(
        requests=metrics.requests,
        failures=metrics.failures,
        error_rate=metrics.error_rate,
        mean_ms=metrics.mean_ms,
        p50_ms=metrics.p50_ms,
        p99_ms=metrics.p99_ms,
        bytes_sent=metrics.bytes_sent,
        bytes_received=metrics.bytes_received,
    )
