"""The canonical JSON of a workflow: what the ledger stores to resume a run from, and what its digest is taken over.

JSON without floats, so that no two writers differ: a float is ``{"$float": "0.8"}``, an integer beyond 2**53 is
``{"$int": "..."}``, and a key of the author's that starts with ``$`` gets a second one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.workflow import Edge, JoinRule, Node, NodeKind, Workflow
from meshflow_grpc.workflow.schema import RISK_LABELS

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue

FORMAT = "meshflow.workflow.v1"
_SAFE_INTEGER = 2**53


def workflow_digest(workflow: Workflow) -> str:
    """Returns the SHA-256 (hex) of the format's name, a newline and the JSON with sorted keys, no spaces, in UTF-8."""
    canonical = json.dumps(to_json(workflow), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{FORMAT}\n{canonical}".encode()).hexdigest()


def to_json(workflow: Workflow) -> dict[str, Any]:
    """Returns the whole definition as JSON without floats; every field is present."""
    return {
        "format": FORMAT,
        "name": workflow.name,
        "version": workflow.version,
        "description": workflow.description,
        "entry": workflow.entry,
        "policy": _encode(workflow.policy),
        "nodes": [_node_json(node) for node in workflow.nodes],
        "edges": [
            {"from": edge.source, "to": edge.target, "condition": edge.condition, "max_iterations": edge.max_iterations}
            for edge in workflow.edges
        ],
    }


def _node_json(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "kind": node.kind.value,
        "role": node.role,
        "risk": node.risk.label,
        "join": node.join.value,
        "timeout_s": _encode(float(node.timeout_s)),
        "max_retries": node.max_retries,
        "output_schema": _encode(node.output_schema),
        "sla_ms": node.sla_ms,
        "config": _encode(node.config),
    }


def from_json(document: Mapping[str, Any]) -> Workflow:
    """Rebuilds the workflow that ``to_json`` wrote; raises ValueError for another format."""
    if document.get("format") != FORMAT:
        raise ValueError(f"not a {FORMAT} document: {document.get('format')!r}")
    return Workflow(
        name=document["name"],
        version=document["version"],
        description=document["description"],
        entry=document["entry"],
        policy=_decode(document["policy"]),
        nodes=tuple(_node_from(node) for node in document["nodes"]),
        edges=tuple(
            Edge(edge["from"], edge["to"], edge["condition"], edge["max_iterations"]) for edge in document["edges"]
        ),
    )


def _node_from(document: Mapping[str, Any]) -> Node:
    return Node(
        id=document["id"],
        kind=NodeKind(document["kind"]),
        role=document["role"],
        risk=RISK_LABELS[document["risk"]],
        join=JoinRule(document["join"]),
        timeout_s=_decode(document["timeout_s"]),
        max_retries=document["max_retries"],
        output_schema=_decode(document["output_schema"]),
        sla_ms=document["sla_ms"],
        config=_decode(document["config"]),
    )


def _encode(value: JsonValue) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, float):
        return {"$float": repr(value)}
    if isinstance(value, int) and not -_SAFE_INTEGER < value < _SAFE_INTEGER:
        return {"$int": str(value)}
    if isinstance(value, Mapping):
        return {f"${key}" if key.startswith("$") else key: _encode(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_encode(item) for item in value]
    return value


def _decode(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        if "$float" in value:
            return float(value["$float"])
        if "$int" in value:
            return int(value["$int"])
        return {key.removeprefix("$"): _decode(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_decode(item) for item in value]
    return value
