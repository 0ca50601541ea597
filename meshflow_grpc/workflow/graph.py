"""The structure of a workflow, worked out once: indices, topological order, loops and what they hold back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.workflow import END, START, JoinRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meshflow_grpc.domain.workflow import Edge, Node, Workflow


class GraphStructureError(ValueError):
    """The edges cannot be scheduled. ``edge`` is the index in ``Workflow.edges``, -1 when unknown."""

    def __init__(self, edge: int, message: str) -> None:
        super().__init__(message)
        self.edge = edge


@dataclass(frozen=True, slots=True)
class ForwardEdge:
    """An edge that carries one token per round. ``source`` is -1 for START, ``target`` is -1 for END.

    ``exits`` are the loops whose body the edge leaves: its token is delivered when all of them are over.
    """

    index: int
    source: int
    target: int
    conditional: bool
    exits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Loop:
    """A bounded back edge. ``body``: every node on a way from its target to its source. ``exit_edges`` leave it."""

    index: int
    edge: Edge
    source: int
    target: int
    max_iterations: int
    body: frozenset[int]
    exit_edges: tuple[int, ...]
    reset_edges: tuple[int, ...]
    inner_loops: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """An immutable plan that any number of runs share. Nodes, forward edges and loops are addressed by index.

    ``feeding`` has each node's incoming edges with their sources, but for those from START.
    ``last`` says of each node whether, all its edges taken, its output is part of the run's: an edge leads to END, or none leads on.
    ``may_end`` says whether the run can be over with it: it has no condition, and nothing follows it.
    """

    node_ids: tuple[str, ...]
    nodes: tuple[Node, ...]
    joins: tuple[JoinRule, ...]
    index_of: Mapping[str, int]
    edges: tuple[ForwardEdge, ...]
    loops: tuple[Loop, ...]
    incoming: tuple[tuple[int, ...], ...]
    feeding: tuple[tuple[tuple[int, int], ...], ...]
    outgoing: tuple[tuple[int, ...], ...]
    loops_from: tuple[tuple[int, ...], ...]
    start_edges: tuple[int, ...]
    rank: tuple[int, ...]
    conditional: tuple[tuple[str, ...], ...]
    last: tuple[bool, ...]
    may_end: tuple[bool, ...]

    def node(self, node_id: str) -> Node:
        """Returns a node by id in constant time; raises KeyError when there is none."""
        return self.nodes[self.index_of[node_id]]

    def conditional_targets(self, node_id: str) -> tuple[str, ...]:
        """Targets of the node's conditional edges, whose truth values ``frontier.complete`` must be given."""
        return self.conditional[self.index_of[node_id]]


def build_graph(workflow: Workflow) -> Graph:
    """Works out the graph of a workflow whose edges join existing nodes; raises GraphStructureError."""
    index_of = {node.id: position for position, node in enumerate(workflow.nodes)}
    count = len(workflow.nodes)
    forward, backward = _split(workflow, index_of)
    incoming, outgoing = _adjacency(forward, count)
    order = topological_order(count, forward)
    if order is None:
        raise GraphStructureError(-1, "the edges without max_iterations form a cycle")
    rank = _ranks(order)
    bodies = tuple(
        _body(index_of[edge.target], index_of[edge.source], forward, incoming, outgoing, rank, position)
        for position, edge in backward
    )
    _refuse_overlaps(backward, bodies)
    forward = _with_exits(forward, bodies)
    loops_from = _loops_from(backward, index_of, count)
    _refuse_mutual_waits(count, forward, [index_of[edge.source] for _, edge in backward])
    return Graph(
        node_ids=tuple(node.id for node in workflow.nodes),
        nodes=workflow.nodes,
        joins=tuple(node.join for node in workflow.nodes),
        index_of=index_of,
        edges=tuple(forward),
        loops=_loops(backward, bodies, forward, outgoing, index_of),
        incoming=incoming,
        feeding=tuple(
            tuple((edge, forward[edge].source) for edge in edges if forward[edge].source >= 0) for edges in incoming
        ),
        outgoing=outgoing,
        loops_from=loops_from,
        start_edges=tuple(position for position, edge in enumerate(forward) if edge.source == -1),
        rank=tuple(rank),
        conditional=_conditional_targets(workflow, index_of),
        last=tuple(not edges or any(forward[edge].target < 0 for edge in edges) for edges in outgoing),
        may_end=tuple(
            not loops and not any(forward[edge].conditional or forward[edge].target >= 0 for edge in edges)
            for edges, loops in zip(outgoing, loops_from, strict=True)
        ),
    )


def _split(workflow: Workflow, index_of: Mapping[str, int]) -> tuple[list[ForwardEdge], list[tuple[int, Edge]]]:
    """Separates the edges that carry tokens from the bounded back edges; ``entry`` counts as an edge from START."""
    forward: list[ForwardEdge] = []
    backward: list[tuple[int, Edge]] = []
    if workflow.entry:
        forward.append(ForwardEdge(-1, -1, index_of[workflow.entry], conditional=False))
    for position, edge in enumerate(workflow.edges):
        if edge.max_iterations is not None:
            backward.append((position, edge))
            continue
        source = -1 if edge.source == START else index_of[edge.source]
        target = -1 if edge.target == END else index_of[edge.target]
        forward.append(ForwardEdge(position, source, target, conditional=bool(edge.condition)))
    return forward, backward


def _adjacency(
    edges: Sequence[ForwardEdge], count: int
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    incoming: list[list[int]] = [[] for _ in range(count)]
    outgoing: list[list[int]] = [[] for _ in range(count)]
    for position, edge in enumerate(edges):
        if edge.target >= 0:
            incoming[edge.target].append(position)
        if edge.source >= 0:
            outgoing[edge.source].append(position)
    return tuple(map(tuple, incoming)), tuple(map(tuple, outgoing))


def topological_order(
    count: int, edges: Sequence[ForwardEdge], extra: Sequence[tuple[int, int]] = ()
) -> list[int] | None:
    """Kahn's order of the nodes by the edges and extra (before, after) pairs, None when they form a cycle."""
    successors: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    pairs = [(edge.source, edge.target) for edge in edges if edge.source >= 0 and edge.target >= 0]
    for before, after in (*pairs, *extra):
        successors[before].append(after)
        waiting[after] += 1
    order = [node for node in range(count) if waiting[node] == 0]
    for node in order:
        for successor in successors[node]:
            waiting[successor] -= 1
            if waiting[successor] == 0:
                order.append(successor)
    return order if len(order) == count else None


def _ranks(order: Sequence[int]) -> list[int]:
    rank = [0] * len(order)
    for position, node in enumerate(order):
        rank[node] = position
    return rank


def _body(
    target: int,
    source: int,
    edges: Sequence[ForwardEdge],
    incoming: Sequence[Sequence[int]],
    outgoing: Sequence[Sequence[int]],
    rank: Sequence[int],
    position: int,
) -> frozenset[int]:
    """Every node on a forward way from ``target`` to ``source``; the search stays within their span of the order."""
    low, high = rank[target], rank[source]
    down = _reach(target, lambda node: [edges[e].target for e in outgoing[node]], lambda n: n >= 0 and rank[n] <= high)
    if source not in down:
        raise GraphStructureError(position, "max_iterations is for an edge that closes a cycle; this one leads forward")
    up = _reach(source, lambda node: [edges[e].source for e in incoming[node]], lambda n: n >= 0 and rank[n] >= low)
    return frozenset(down & up)


def _reach(start: int, neighbours: Callable[[int], list[int]], allowed: Callable[[int], bool]) -> set[int]:
    seen = {start}
    stack = [start]
    while stack:
        for node in neighbours(stack.pop()):
            if allowed(node) and node not in seen:
                seen.add(node)
                stack.append(node)
    return seen


def _refuse_overlaps(backward: Sequence[tuple[int, Edge]], bodies: Sequence[frozenset[int]]) -> None:
    """Loops must be nested or apart: two that share only a part would each wait for the other to end."""
    innermost: dict[int, int] = {}
    for loop in sorted(range(len(bodies)), key=lambda i: -len(bodies[i])):
        around = {innermost.get(node, -1) for node in bodies[loop]}
        if len(around) > 1:
            outer = next(other for other in sorted(around) if other >= 0 and not bodies[loop] <= bodies[other])
            (position, edge), (_, other_edge) = backward[loop], backward[outer]
            raise GraphStructureError(
                position,
                f"the loops {edge.source} -> {edge.target} and {other_edge.source} -> {other_edge.target} overlap; "
                "join their branches in one node and loop back from there, or nest one in the other",
            )
        innermost.update(dict.fromkeys(bodies[loop], loop))


def _with_exits(edges: Sequence[ForwardEdge], bodies: Sequence[frozenset[int]]) -> list[ForwardEdge]:
    owners: dict[int, list[int]] = {}
    for loop, body in enumerate(bodies):
        for node in body:
            owners.setdefault(node, []).append(loop)
    marked = []
    for edge in edges:
        exits = tuple(loop for loop in owners.get(edge.source, ()) if edge.target not in bodies[loop])
        marked.append(ForwardEdge(edge.index, edge.source, edge.target, edge.conditional, exits))
    return marked


def _refuse_mutual_waits(count: int, edges: Sequence[ForwardEdge], tails: Sequence[int]) -> None:
    """An edge that leaves a loop waits for the loop's end; edges and waits together must not go in a circle."""
    waits = [(tails[loop], edge.target) for edge in edges if edge.target >= 0 for loop in edge.exits]
    if waits and topological_order(count, edges, waits) is None:
        culprit = next(
            edge for edge in edges if edge.target >= 0 and any(tails[loop] != edge.source for loop in edge.exits)
        )
        raise GraphStructureError(
            culprit.index,
            "loops wait for one another: this edge leaves a loop and leads into what the loop's end depends on",
        )


def _loops(
    backward: Sequence[tuple[int, Edge]],
    bodies: Sequence[frozenset[int]],
    edges: Sequence[ForwardEdge],
    outgoing: Sequence[Sequence[int]],
    index_of: Mapping[str, int],
) -> tuple[Loop, ...]:
    loops = []
    for number, ((_, edge), body) in enumerate(zip(backward, bodies, strict=True)):
        leaving = sorted(position for node in body for position in outgoing[node])
        loops.append(
            Loop(
                index=number,
                edge=edge,
                source=index_of[edge.source],
                target=index_of[edge.target],
                max_iterations=edge.max_iterations or 0,
                body=body,
                exit_edges=tuple(position for position in leaving if number in edges[position].exits),
                reset_edges=tuple(leaving),
                inner_loops=tuple(i for i, (_, other) in enumerate(backward) if index_of[other.source] in body),
            )
        )
    return tuple(loops)


def _loops_from(
    backward: Sequence[tuple[int, Edge]], index_of: Mapping[str, int], count: int
) -> tuple[tuple[int, ...], ...]:
    found: list[list[int]] = [[] for _ in range(count)]
    for number, (_, edge) in enumerate(backward):
        found[index_of[edge.source]].append(number)
    return tuple(map(tuple, found))


def _conditional_targets(workflow: Workflow, index_of: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    found: list[list[str]] = [[] for _ in index_of]
    for edge in workflow.edges:
        if edge.condition and edge.source in index_of:
            found[index_of[edge.source]].append(edge.target)
    return tuple(map(tuple, found))
