"""Questions about a workflow's forward edges: what is reached, and which cycles have no bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.workflow import END, START, NodeKind

if TYPE_CHECKING:
    from meshflow_grpc.domain.workflow import Workflow

_REPORTED_CYCLES = 20


def unreachable_nodes(workflow: Workflow) -> list[str]:
    """Returns the nodes that no way of forward edges leads to, in the order of the definition."""
    following: dict[str, list[str]] = {}
    for edge in workflow.edges:
        if edge.max_iterations is None:
            following.setdefault(edge.source, []).append(edge.target)
    waiting = [START, workflow.entry]
    seen = set(waiting)
    while waiting:
        for target in following.get(waiting.pop(), ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return [node.id for node in workflow.nodes if node.id not in seen]


def ends_with_a_person(workflow: Workflow) -> bool:
    """Whether every way of forward edges to the end passes a node of kind human, which what follows carries out."""
    following: dict[str, list[str]] = {}
    for edge in workflow.edges:
        if edge.max_iterations is None:
            following.setdefault(edge.source, []).append(edge.target)
    persons = {node.id for node in workflow.nodes if node.kind is NodeKind.HUMAN}
    waiting = following.get(START, []) + ([workflow.entry] if workflow.entry else [])
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node == END or (node not in persons and not following.get(node)):
            return False
        if node not in persons and node not in seen:
            seen.add(node)
            waiting.extend(following[node])
    return True


def unbounded_cycles(workflow: Workflow) -> list[list[int]]:
    """Returns cycles of edges without max_iterations as edge indices in order; those that share nodes once."""
    edges = {
        position: (edge.source, edge.target)
        for position, edge in enumerate(workflow.edges)
        if edge.max_iterations is None and edge.source != START and edge.target != END
    }
    cycles: list[list[int]] = []
    while len(cycles) < _REPORTED_CYCLES:
        edges = _cyclic_core(edges)
        if not edges:
            break
        cycle = _walk_back(edges)
        cycles.append(cycle)
        nodes = {end for position in cycle for end in edges[position]}
        edges = {position: ends for position, ends in edges.items() if not nodes & set(ends)}
    return cycles


def _cyclic_core(edges: dict[int, tuple[str, str]]) -> dict[int, tuple[str, str]]:
    """Strips the nodes that nothing leads to until every node left has an incoming edge."""
    arriving: dict[str, int] = {}
    leaving: dict[str, list[int]] = {}
    for position, (source, target) in edges.items():
        arriving[target] = arriving.get(target, 0) + 1
        arriving.setdefault(source, 0)
        leaving.setdefault(source, []).append(position)
    free = [node for node, count in arriving.items() if count == 0]
    left = dict(edges)
    for node in free:
        for position in leaving.get(node, ()):
            target = left.pop(position)[1]
            arriving[target] -= 1
            if arriving[target] == 0:
                free.append(target)
    return left


def _walk_back(edges: dict[int, tuple[str, str]]) -> list[int]:
    """Follows incoming edges until a node repeats; every node with an outgoing edge here has an incoming one."""
    incoming = {target: position for position, (_, target) in reversed(edges.items())}
    node = next(iter(edges.values()))[0]
    trail: list[int] = []
    visited: dict[str, int] = {}
    while node not in visited:
        visited[node] = len(trail)
        trail.append(incoming[node])
        node = edges[trail[-1]][0]
    return trail[visited[node] :][::-1]
