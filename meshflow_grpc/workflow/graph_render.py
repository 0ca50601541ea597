"""A workflow as a picture: Mermaid and Graphviz DOT text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.workflow import END, START, Edge, JoinRule, NodeKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.domain.workflow import Node, Workflow

_MERMAID_ESCAPES = str.maketrans(
    {'"': "#quot;", "#": "#35;", "<": "#lt;", ">": "#gt;", "|": "#124;", "\n": " ", "`": "#96;"}
)
_END_LABELS = {START: "start", END: "end"}
_DOT_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": " "})


def to_mermaid(workflow: Workflow) -> str:
    """Returns a Mermaid flowchart. Back edges are dotted; conditions label their edges; human nodes are diamonds."""
    names = _names(workflow)
    lines = ["flowchart TD"]
    for node in workflow.nodes:
        left, right = ("{", "}") if node.kind is NodeKind.HUMAN else ("[", "]")
        lines.append(f'    {names[node.id]}{left}"{_label(node).translate(_MERMAID_ESCAPES)}"{right}')
    lines.extend(f'    {names[end]}(["{_END_LABELS[end]}"])' for end in _ends(workflow))
    for edge in _drawn_edges(workflow):
        arrow = "-->" if edge.max_iterations is None else "-.->"
        text = _edge_label(edge).translate(_MERMAID_ESCAPES)
        label = f'|"{text}"|' if text else ""
        lines.append(f"    {names[edge.source]} {arrow}{label} {names[edge.target]}")
    return "\n".join(lines) + "\n"


def to_dot(workflow: Workflow) -> str:
    """Returns a Graphviz digraph. Back edges are dashed and do not shape the ranks."""
    names = _names(workflow)
    lines = [f'digraph "{workflow.name.translate(_DOT_ESCAPES)}" {{', "    rankdir=TB;", "    node [shape=box];"]
    for node in workflow.nodes:
        shape = ", shape=diamond" if node.kind is NodeKind.HUMAN else ""
        lines.append(f'    {names[node.id]} [label="{_label(node).translate(_DOT_ESCAPES)}"{shape}];')
    lines.extend(f'    {names[end]} [label="{_END_LABELS[end]}", shape=oval];' for end in _ends(workflow))
    for edge in _drawn_edges(workflow):
        style = "" if edge.max_iterations is None else ", style=dashed, constraint=false"
        text = _edge_label(edge).translate(_DOT_ESCAPES)
        lines.append(f'    {names[edge.source]} -> {names[edge.target]} [label="{text}"{style}];')
    return "\n".join([*lines, "}"]) + "\n"


def _names(workflow: Workflow) -> dict[str, str]:
    """Names that no keyword of either language collides with."""
    return {START: "start_", END: "end_", **{node.id: f"n{position}" for position, node in enumerate(workflow.nodes)}}


def _ends(workflow: Workflow) -> list[str]:
    used = {end for edge in _drawn_edges(workflow) for end in (edge.source, edge.target)}
    return [end for end in (START, END) if end in used]


def _drawn_edges(workflow: Workflow) -> Iterator[Edge]:
    if workflow.entry:
        yield Edge(START, workflow.entry)
    yield from workflow.edges


def _label(node: Node) -> str:
    parts = [node.id, f"({node.kind.value}, {node.risk.label})"]
    if node.role:
        parts.insert(1, node.role)
    if node.join is not JoinRule.ALL:
        parts.append(f"join {node.join.value}")
    return " ".join(parts)


def _edge_label(edge: Edge) -> str:
    bound = "" if edge.max_iterations is None else f"at most {edge.max_iterations} times"
    return ", ".join(part for part in (edge.condition, bound) if part)
