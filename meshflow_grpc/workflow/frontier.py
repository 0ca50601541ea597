"""Which nodes may run now: a token game over a graph (docs/workflow-yaml.md, "Execution").

Every forward edge brings its target one token per round: live, dead (not taken, or skipped above) or failed. An outcome
costs time in proportion to the edges it decides, whatever the size of the graph. No I/O, no clock, no chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.workflow import END, JoinRule
from meshflow_grpc.workflow.progress import (
    DEAD,
    FAILED,
    LIVE,
    NONE,
    LoopIteration,
    NodeActivation,
    NodeRun,
    Progress,
    Token,
    Transition,
    new,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshflow_grpc.workflow.graph import Graph, Loop

__all__ = [
    "LoopIteration",
    "NodeActivation",
    "NodeRun",
    "Progress",
    "Transition",
    "complete",
    "ending",
    "fail",
    "finished",
    "loop_counts",
    "ready",
    "results",
    "start",
]

_NO_TRUTHS: Mapping[str, bool] = {}
_ALL, _ANY = JoinRule.ALL, JoinRule.ANY


def start(graph: Graph) -> Progress:
    """Begins a run: the entry nodes are ready."""
    progress = Progress.of(graph)
    _propagate(progress, [(edge, LIVE) for edge in graph.start_edges])
    return progress


def ready(progress: Progress) -> tuple[NodeActivation, ...]:
    """Returns every activation without an outcome, in order of readiness: those in flight and those to launch."""
    return tuple(progress.outstanding.values())


def finished(progress: Progress) -> bool:
    """Whether no activation awaits an outcome. Superseded runs may still be in flight; they change nothing any more."""
    return not progress.outstanding


def results(progress: Progress) -> tuple[NodeRun, ...]:
    """Returns the completed runs that make up the output: they took an edge to END or nothing live follows them."""
    return _runs(progress, progress.final)


def ending(progress: Progress, run: NodeRun) -> tuple[NodeRun, ...] | None:
    """Returns what ``results`` will be when this run completes, if nothing else is under way and nothing can follow; else None."""
    graph = progress.graph
    if run not in progress.outstanding or len(progress.outstanding) > 1 or progress.obsolete:
        return None
    node = graph.index_of[run.node_id]
    return _runs(progress, {*progress.final, node}) if graph.may_end[node] else None


def _runs(progress: Progress, nodes: Iterable[int]) -> tuple[NodeRun, ...]:
    graph = progress.graph
    return tuple(
        NodeRun(graph.node_ids[node], progress.iterations[node]) for node in sorted(nodes, key=graph.rank.__getitem__)
    )


def loop_counts(progress: Progress) -> Mapping[tuple[str, str], int]:
    """Returns how often each back edge was taken in this run, by (source, target)."""
    loops = progress.graph.loops
    return {(loop.edge.source, loop.edge.target): progress.loop_counts[loop.index] for loop in loops}


def complete(progress: Progress, run: NodeRun, truths: Mapping[str, bool] = _NO_TRUTHS) -> Transition:
    """Records that a node succeeded. ``truths`` holds, by target id, the value of each of its conditional edges.

    Raises ValueError when the run is not outstanding or the truths are not those of its conditional edges.
    """
    if run not in progress.outstanding:
        return _stale(progress, run)
    graph = progress.graph
    node = graph.index_of[run.node_id]
    expected = graph.conditional[node]
    if len(truths) != len(expected) or (expected and any(target not in truths for target in expected)):
        raise ValueError(f"node {run.node_id!r} needs truth values for {list(expected)}, got {list(truths)}")
    del progress.outstanding[run]
    if not expected:
        if graph.last[node]:
            progress.final.add(node)
        return _propagate(progress, [(edge, LIVE) for edge in graph.outgoing[node]])
    wanted = [graph.loops[loop] for loop in graph.loops_from[node] if truths[graph.loops[loop].edge.target]]
    for loop in wanted:
        if progress.loop_counts[loop.index] < loop.max_iterations:
            return _repeat(progress, loop, run)
    exhausted = tuple(LoopIteration(loop.edge, loop.max_iterations, loop.max_iterations) for loop in wanted)
    tokens = _decide(graph, node, truths, forced=bool(exhausted))
    if _ends_here(graph, tokens):
        progress.final.add(node)
    return _propagate(progress, [*_end_loops(progress, node), *tokens], exhausted)


def fail(progress: Progress, run: NodeRun) -> Transition:
    """Records that a node did not succeed while the run goes on: its edges bring failed tokens.

    Raises ValueError when the run is not outstanding.
    """
    if run not in progress.outstanding:
        return _stale(progress, run)
    node = progress.graph.index_of[run.node_id]
    del progress.outstanding[run]
    tokens = [(edge, FAILED) for edge in progress.graph.outgoing[node]]
    return _propagate(progress, [*_end_loops(progress, node), *tokens])


def _stale(progress: Progress, run: NodeRun) -> Transition:
    if run not in progress.obsolete:
        raise ValueError(f"{run!r} is not outstanding")
    progress.obsolete.discard(run)
    return Transition(stale=True)


def _decide(graph: Graph, node: int, truths: Mapping[str, bool], *, forced: bool) -> list[tuple[int, Token]]:
    """The tokens of a node's forward edges. ``forced``: an exhausted loop goes on by the first if none is true."""
    tokens: list[tuple[int, Token]] = []
    for position in graph.outgoing[node]:
        edge = graph.edges[position]
        target = END if edge.target < 0 else graph.node_ids[edge.target]
        live = not edge.conditional or truths[target]
        tokens.append((position, LIVE if live else DEAD))
    if forced and tokens and all(token == DEAD for _, token in tokens):
        tokens[0] = (tokens[0][0], LIVE)
    return tokens


def _ends_here(graph: Graph, tokens: Iterable[tuple[int, Token]]) -> bool:
    targets = [graph.edges[edge].target for edge, token in tokens if token == LIVE]
    return not targets or -1 in targets


def _repeat(progress: Progress, loop: Loop, run: NodeRun) -> Transition:
    """Takes a back edge: the loop's body starts afresh and its target is ready at once."""
    graph = progress.graph
    progress.loop_counts[loop.index] += 1
    superseded = _supersede(progress, loop)
    for position in loop.reset_edges:
        progress.held.pop(position, None)
        target = graph.edges[position].target
        if target in loop.body:
            progress.arrived[target][progress.tokens[position]] -= 1
            progress.tokens[position] = NONE
    for inner in loop.inner_loops:
        progress.loop_over[inner] = 0
    activation = _activate(progress, loop.target, run)
    taken = LoopIteration(loop.edge, progress.loop_counts[loop.index], loop.max_iterations)
    return Transition(activated=(activation,), loop=taken, superseded=superseded)


def _supersede(progress: Progress, loop: Loop) -> tuple[NodeRun, ...]:
    """Makes the body's nodes fresh; what is still in flight among them becomes obsolete."""
    superseded = []
    for node in sorted(loop.body, key=lambda n: progress.graph.rank[n]):
        progress.resolved[node] = 0
        progress.final.discard(node)
        current = NodeRun(progress.graph.node_ids[node], progress.iterations[node])
        if progress.outstanding.pop(current, None):
            progress.obsolete.add(current)
            superseded.append(current)
    return tuple(superseded)


def _activate(progress: Progress, node: int, looped_from: NodeRun | None = None) -> NodeActivation:
    graph = progress.graph
    node_ids, tokens, iterations = graph.node_ids, progress.tokens, progress.iterations
    inputs = [
        new(NodeRun, (node_ids[source], iterations[source]))
        for edge, source in graph.feeding[node]
        if tokens[edge] == LIVE
    ]
    if looped_from is not None:
        inputs.append(looped_from)
    progress.resolved[node] = 1
    iterations[node] += 1
    run = new(NodeRun, (node_ids[node], iterations[node]))
    activation = progress.outstanding[run] = new(NodeActivation, (*run, tuple(inputs)))
    return activation


def _end_loops(progress: Progress, node: int) -> list[tuple[int, Token]]:
    """Ends the loops whose source was decided without repeating; returns the tokens that this sets free."""
    graph = progress.graph
    for loop in graph.loops_from[node]:
        progress.loop_over[loop] = 1
    freed = [edge for loop in graph.loops_from[node] for edge in graph.loops[loop].exit_edges if edge in progress.held]
    return [(edge, progress.held.pop(edge)) for edge in dict.fromkeys(freed)]


def _propagate(
    progress: Progress, tokens: list[tuple[int, Token]], exhausted: tuple[LoopIteration, ...] = ()
) -> Transition:
    """Delivers tokens and follows dead paths to their end. Tokens that leave a loop still going on are held."""
    graph = progress.graph
    activated: list[NodeActivation] = []
    skipped: list[str] = []
    for position, token in tokens:  # grows at its end while dead paths are followed
        edge = graph.edges[position]
        if edge.exits and not all(progress.loop_over[loop] for loop in edge.exits):
            progress.held[position] = token
            continue
        if edge.target < 0:
            continue
        verdict = _arrive(progress, position, edge.target, token)
        if verdict == LIVE:
            activated.append(_activate(progress, edge.target))
        elif verdict != NONE:
            progress.resolved[edge.target] = 1
            skipped.append(graph.node_ids[edge.target])
            tokens += _end_loops(progress, edge.target)
            tokens += [(outgoing, verdict) for outgoing in graph.outgoing[edge.target]]
    return new(Transition, (tuple(activated), tuple(skipped), None, exhausted, (), False))


def _arrive(progress: Progress, position: int, target: int, token: Token) -> Token:
    """Counts a token at its target. Returns LIVE: it may run; DEAD or FAILED: it never will; NONE: it waits."""
    arrived = progress.arrived[target]
    arrived[token] += 1
    progress.tokens[position] = token
    if progress.resolved[target]:
        return NONE
    edges = len(progress.graph.incoming[target])
    if edges == 1:
        return token
    possible = edges - arrived[DEAD]
    if possible == 0:
        return DEAD
    needed = _needed(progress.graph.joins[target], possible)
    if arrived[LIVE] >= needed:
        return LIVE
    return FAILED if possible - arrived[FAILED] < needed else NONE


def _needed(join: JoinRule, possible: int) -> int:
    """How many live branches a join needs, of those that are not dead."""
    if join is _ALL:
        return possible
    return 1 if join is _ANY else possible // 2 + 1
