"""Subgraphs: a node that runs another workflow becomes that workflow's nodes, and one more that gathers what they gave.

The definition of the other workflow lies in the node itself (``embedded``), so that a run goes on with what it was started with. Node
``sub`` with the child's node ``a`` becomes ``sub.a``; ``sub`` itself comes last and gives the child's output.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.errors import FieldViolation, InvalidWorkflowError
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import END, START, Edge, JoinRule, Node, NodeKind, Workflow
from meshflow_grpc.workflow.digest import from_json, to_json
from meshflow_grpc.workflow.schema import MAX_NODES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFINITION = "definition"


def subgraphs(workflow: Workflow) -> tuple[Node, ...]:
    """The nodes that run other workflows."""
    return tuple(node for node in workflow.nodes if node.kind is NodeKind.SUBGRAPH)


def embedded(workflow: Workflow, children: Mapping[str, Workflow]) -> Workflow:
    """The workflow with the definition of each subgraph's workflow, by node id, in its node."""
    nodes = [
        replace(node, config={**node.config, DEFINITION: to_json(children[node.id])}) if node.id in children else node
        for node in workflow.nodes
    ]
    return replace(workflow, nodes=tuple(nodes))


def as_written(workflow: Workflow) -> Workflow:
    """The workflow without what ``embedded`` put in."""
    nodes = (
        replace(node, config={key: value for key, value in node.config.items() if key != DEFINITION})
        if node.kind is NodeKind.SUBGRAPH
        else node
        for node in workflow.nodes
    )
    return replace(workflow, nodes=tuple(nodes))


def expanded(workflow: Workflow) -> Workflow:
    """The workflow that is executed: no node of it stands for others. Raises InvalidWorkflowError naming the node."""
    for node in subgraphs(workflow):
        definition = node.config.get(DEFINITION)
        if definition is None:
            raise _invalid(node, "workflow", "its workflow was not resolved; register it under that name")
        child = expanded(from_json(cast("Mapping[str, Any]", definition)))
        workflow = _with_child(workflow, node, child)
        if len(workflow.nodes) > MAX_NODES:
            raise _invalid(node, "workflow", f"makes more than {MAX_NODES} nodes in all")
    return workflow


def _with_child(workflow: Workflow, node: Node, child: Workflow) -> Workflow:
    starts = [child.entry] if child.entry else [edge.target for edge in child.edges if edge.source == START]
    inner = tuple(_inner(node, each, first=each.id in starts) for each in child.nodes)
    entries = [f"{node.id}.{start}" for start in starts]
    collector = replace(node, join=JoinRule.ALL, risk=RiskTier.READ_ONLY)
    position = workflow.nodes.index(node)
    nodes = (*workflow.nodes[:position], *inner, collector, *workflow.nodes[position + 1 :])
    edges = [each for edge in workflow.edges for each in _led_in(edge, node, entries)]
    entry = workflow.entry
    if entry == node.id:
        entry = entries[0] if len(entries) == 1 else ""
        edges = [*(Edge(START, each) for each in entries if len(entries) > 1), *edges]
    return replace(workflow, nodes=nodes, edges=(*edges, *_inner_edges(node, child)), entry=entry)


def _inner(node: Node, child: Node, *, first: bool) -> Node:
    """What starts the child waits as the subgraph does, and is as risky as it is declared."""
    named = replace(child, id=f"{node.id}.{child.id}")
    return replace(named, join=node.join, risk=max(child.risk, node.risk)) if first else named


def _led_in(edge: Edge, node: Node, entries: Sequence[str]) -> list[Edge]:
    if edge.target != node.id:
        return [edge]
    if edge.max_iterations is not None and len(entries) > 1:
        raise _invalid(
            node, "workflow", "starts with several nodes, so no edge with max_iterations can lead back to it"
        )
    return [replace(edge, target=entry) for entry in entries]


def _inner_edges(node: Node, child: Workflow) -> list[Edge]:
    found = [
        replace(edge, source=f"{node.id}.{edge.source}", target=f"{node.id}.{edge.target}")
        for edge in child.edges
        if edge.source != START and edge.target != END
    ]
    for each in child.nodes:
        condition = _end_condition([edge for edge in child.edges if edge.source == each.id])
        if condition is not None:
            found.append(Edge(f"{node.id}.{each.id}", node.id, condition))
    return found


def _end_condition(edges: Sequence[Edge]) -> str | None:
    """When a node's output is the child's: its edge to END is taken, or none of its edges is; empty = always, None = never."""
    forward = [edge for edge in edges if edge.max_iterations is None]
    ends = [edge for edge in forward if edge.target == END]
    others = [edge for edge in forward if edge.target != END]
    open_ended = all(edge.condition for edge in others) and len(forward) == len(edges)
    if any(not edge.condition for edge in ends) or (not others and (not ends or open_ended)):
        return ""
    parts = [f"({edge.condition})" for edge in ends]
    if open_ended:
        parts.append(" && ".join(f"!({edge.condition})" for edge in others))
    return " || ".join(parts) or None


def _invalid(node: Node, field: str, problem: str) -> InvalidWorkflowError:
    return cast(
        "InvalidWorkflowError", InvalidWorkflowError.of(FieldViolation(f"workflow.nodes.{node.id}.{field}", problem))
    )
