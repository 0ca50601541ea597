"""Properties of the frontier over generated graphs."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from meshflow_grpc.domain.workflow import Edge, JoinRule, Node, Workflow
from meshflow_grpc.workflow import frontier
from meshflow_grpc.workflow.graph import GraphStructureError, build_graph
from tests.unit.workflow.drawing import Player

_SETTINGS = settings(max_examples=100, deadline=None, derandomize=True)


@st.composite
def dags(draw: st.DrawFn, *, conditions: bool = True, joins: bool = True) -> Workflow:
    """Connected acyclic graphs: every node but the first has at least one edge from an earlier one."""
    count = draw(st.integers(1, 12))
    edges: list[Edge] = []
    for target in range(1, count):
        sources = draw(st.sets(st.integers(0, target - 1), min_size=1, max_size=3))
        edges.extend(
            Edge(f"n{source}", f"n{target}", "c" if conditions and draw(st.booleans()) else "")
            for source in sorted(sources)
        )
    rule = st.sampled_from(list(JoinRule)) if joins else st.just(JoinRule.ALL)
    nodes = tuple(Node(f"n{i}", join=draw(rule)) for i in range(count))
    return Workflow("random", nodes, tuple(edges), entry="n0")


@st.composite
def loop_graphs(draw: st.DrawFn) -> Workflow:
    """Acyclic graphs with back edges that can be scheduled."""
    workflow = draw(dags())
    edges = list(workflow.edges)
    for _ in range(draw(st.integers(1, 4))):
        source = draw(st.integers(0, len(workflow.nodes) - 1))
        target = draw(st.integers(0, source))
        loop = Edge(f"n{source}", f"n{target}", "again", draw(st.integers(1, 3)))
        candidate = Workflow("random", workflow.nodes, (*edges, loop), entry="n0")
        if any((edge.source, edge.target) == (loop.source, loop.target) for edge in edges):
            continue
        try:
            build_graph(candidate)
        except GraphStructureError:
            continue
        edges.append(loop)
    return Workflow("random", workflow.nodes, tuple(edges), entry="n0")


def _shuffled(workflow: Workflow, seed: int) -> Player:
    chance = random.Random(seed)
    return Player(workflow, truth=lambda run, target: chance.random() < 0.6, pick=chance.choice)


@given(dags(), st.integers(0, 2**32))
@_SETTINGS
def test_without_loops_every_node_runs_or_is_skipped_once(workflow: Workflow, seed: int) -> None:
    """No deadlock, no second run: at the end each node has completed once or was skipped once."""
    player = _shuffled(workflow, seed)
    player.play()
    assert sorted([*player.log, *player.skipped()]) == sorted(node.id for node in workflow.nodes)


@given(dags(conditions=False), st.integers(0, 2**32))
@_SETTINGS
def test_without_conditions_every_node_runs_whatever_the_order(workflow: Workflow, seed: int) -> None:
    """Unconditional graphs run every node once; nothing is skipped and the results do not depend on the order."""
    player = _shuffled(workflow, seed)
    player.play()
    assert sorted(player.log) == sorted(node.id for node in workflow.nodes)
    in_order = Player(workflow)
    in_order.play()
    assert player.results() == in_order.results()


@given(dags(joins=False), st.integers(0, 2**32), st.integers(0, 2**32))
@_SETTINGS
def test_joins_on_all_make_runs_independent_of_the_order(workflow: Workflow, decisions: int, seed: int) -> None:
    """With fixed truths, two orders of completion run the same nodes with the same inputs."""

    def truth(run: frontier.NodeRun, target: str) -> bool:
        return random.Random(f"{decisions} {run} {target}").random() < 0.6

    one, other = Player(workflow, truth=truth), Player(workflow, truth=truth, pick=random.Random(seed).choice)
    one.play()
    other.play()
    assert one.inputs == other.inputs
    assert one.results() == other.results()


@given(loop_graphs(), st.integers(0, 2**32))
@_SETTINGS
def test_with_loops_every_run_ends_within_its_bounds(workflow: Workflow, seed: int) -> None:
    """No deadlock, bounded runs: nodes outside loops run at most once, others once more per iteration of a loop around them."""
    player = _shuffled(workflow, seed)
    player.play()
    graph = player.progress.graph
    assert all(player.progress.resolved), "a node was neither run nor skipped"
    for position, node_id in enumerate(graph.node_ids):
        around = sum(player.progress.loop_counts[loop.index] for loop in graph.loops if position in loop.body)
        assert player.log.count(node_id) <= 1 + around
    for loop in graph.loops:
        assert player.progress.loop_counts[loop.index] <= loop.max_iterations


@given(loop_graphs(), st.integers(0, 2**32))
@_SETTINGS
def test_a_replay_of_the_same_outcomes_gives_the_same_run(workflow: Workflow, seed: int) -> None:
    """Feeding the recorded outcomes to a new progress reproduces every transition: resume is a replay."""
    chance = random.Random(seed)
    answers: dict[tuple[frontier.NodeRun, str], bool] = {}

    def truth(run: frontier.NodeRun, target: str) -> bool:
        return answers.setdefault((run, target), chance.random() < 0.6)

    player = Player(workflow, truth=truth, pick=chance.choice)
    player.play()
    again = Player(workflow, truth=truth)
    for node_id in player.log:
        again.complete(node_id)
    assert again.transitions == player.transitions
    assert frontier.finished(again.progress)


@given(st.one_of(dags(), loop_graphs()), st.integers(0, 2**32))
@_SETTINGS
def test_an_ending_that_is_foretold_comes(workflow: Workflow, seed: int) -> None:
    """Where ``ending`` names results, the run ends with that completion and has them; else something goes on, or edges decide."""
    player = _shuffled(workflow, seed)
    while not frontier.finished(player.progress):
        activation = player.pick(frontier.ready(player.progress))
        foretold = frontier.ending(player.progress, activation.run)
        leads_on = any(edge.source == activation.node_id for edge in workflow.edges)
        player.complete(activation.node_id)
        if foretold is not None:
            assert frontier.finished(player.progress)
            assert frontier.results(player.progress) == foretold
        else:
            assert leads_on or player.progress.obsolete or not frontier.finished(player.progress)
