"""Between a Workflow and the plain document that YAML holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import END, START, Edge, JoinRule, Node, NodeKind, Workflow
from meshflow_grpc.workflow.schema import NODE_FIELDS, RISK_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPELLING = {START: "START", END: "END"}
_MEANING = {spelling: node for node, spelling in _SPELLING.items()}


def to_document(workflow: Workflow) -> dict[str, Any]:
    """Returns the document of a workflow; fields that have their default are left out."""
    document: dict[str, Any] = {"name": workflow.name, "version": workflow.version}
    if workflow.description:
        document["description"] = workflow.description
    if workflow.policy:
        document["policy"] = dict(workflow.policy)
    if workflow.entry:
        document["entry"] = workflow.entry
    document["nodes"] = {node.id: _node_document(node) for node in workflow.nodes}
    if workflow.edges:
        document["edges"] = [_edge_document(edge) for edge in workflow.edges]
    return document


def _node_document(node: Node) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": node.kind.value}
    if node.role:
        document["role"] = node.role
    document["risk"] = node.risk.label
    if node.join is not JoinRule.ALL:
        document["join"] = node.join.value
    if node.timeout_s != 0:
        document["timeout_s"] = node.timeout_s
    for name in ("max_retries", "output_schema", "sla_ms"):
        if getattr(node, name) is not None:
            document[name] = getattr(node, name)
    return {**document, **{key: value for key, value in node.config.items() if key not in NODE_FIELDS}}


def _edge_document(edge: Edge) -> dict[str, Any]:
    document: dict[str, Any] = {
        "from": _SPELLING.get(edge.source, edge.source),
        "to": _SPELLING.get(edge.target, edge.target),
    }
    if edge.condition:
        document["condition"] = edge.condition
    if edge.max_iterations is not None:
        document["max_iterations"] = edge.max_iterations
    return document


def from_document(document: Mapping[str, Any]) -> Workflow:
    """Builds the workflow of a document whose shape is good; a name may be missing while it is only being checked."""
    return Workflow(
        name=document.get("name", ""),
        version=document.get("version", "1"),
        description=document.get("description", ""),
        policy=document.get("policy", {}),
        entry=document.get("entry", ""),
        nodes=tuple(_node(node_id, fields) for node_id, fields in document["nodes"].items()),
        edges=tuple(map(_edge, document.get("edges", ()))),
    )


def _node(node_id: str, fields: Mapping[str, Any]) -> Node:
    return Node(
        id=node_id,
        kind=NodeKind(fields.get("kind", NodeKind.AGENT)),
        role=fields.get("role", ""),
        risk=RISK_LABELS[fields.get("risk", RiskTier.INTERNAL.label)],
        join=JoinRule(fields.get("join", JoinRule.ALL)),
        timeout_s=float(fields.get("timeout_s", 0.0)),
        max_retries=fields.get("max_retries"),
        output_schema=fields.get("output_schema"),
        sla_ms=fields.get("sla_ms"),
        config={key: value for key, value in fields.items() if key not in NODE_FIELDS},
    )


def _edge(fields: str | Mapping[str, Any]) -> Edge:
    if isinstance(fields, str):
        source, target = (end.strip() for end in fields.split("->"))
        fields = {"from": source, "to": target}
    return Edge(
        source=_MEANING.get(fields["from"], fields["from"]),
        target=_MEANING.get(fields["to"], fields["to"]),
        condition=fields.get("condition", ""),
        max_iterations=fields.get("max_iterations"),
    )
