"""Fan-out, fan-in, joins and dead paths of graphs without loops."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.workflow import END, START, Edge, JoinRule
from meshflow_grpc.workflow import frontier
from meshflow_grpc.workflow.frontier import NodeRun
from meshflow_grpc.workflow.graph import build_graph
from tests.unit.workflow.drawing import Player, draw

if TYPE_CHECKING:
    from meshflow_grpc.domain.workflow import Workflow


def test_a_chain_runs_in_order() -> None:
    """Each node of a chain becomes ready when the one before completed, and is fed by it."""
    player = Player(draw("a -> b -> c"))
    assert player.play() == ["a", "b", "c"]
    assert player.inputs[NodeRun("a", 1)] == ()
    assert player.inputs[NodeRun("c", 1)] == (NodeRun("b", 1),)
    assert player.results() == ["c"]


def test_fan_in_waits_for_all_branches_and_lists_them_in_edge_order() -> None:
    """A join on all runs after the last branch; its inputs are in the order of the edges, not of completion."""
    player = Player(draw("r -> a -> w", "r -> b -> w"))
    player.complete("r")
    assert player.ready() == ["a", "b"]
    player.complete("b")
    assert player.ready() == ["a"]
    player.complete("a")
    assert player.ready() == ["w"]
    player.complete("w")
    assert player.inputs[NodeRun("w", 1)] == (NodeRun("a", 1), NodeRun("b", 1))


def test_a_slow_branch_does_not_hold_up_another() -> None:
    """A branch runs to its end while its sibling has not completed its first node."""
    player = Player(draw("r -> slow -> end", "r -> f1 -> f2 -> f3"))
    for node_id in ("r", "f1", "f2", "f3"):
        player.complete(node_id)
    assert player.ready() == ["slow"]


def test_a_join_on_any_runs_once_at_the_first_branch() -> None:
    """Later branches of a join on any complete without running it again."""
    player = Player(draw("r -> a -> w", "r -> b -> w", joins={"w": JoinRule.ANY}))
    player.complete("r")
    player.complete("b")
    assert player.ready() == ["a", "w"]
    assert player.play() == ["r", "b", "a", "w"]
    assert player.inputs[NodeRun("w", 1)] == (NodeRun("b", 1),)


def test_a_join_on_majority_runs_at_more_than_half() -> None:
    """Two of three branches are enough; the third is not waited for."""
    player = Player(draw("r -> a -> w", "r -> b -> w", "r -> c -> w", joins={"w": JoinRule.MAJORITY}))
    player.complete("r")
    player.complete("c")
    assert "w" not in player.ready()
    player.complete("a")
    assert player.ready() == ["b", "w"]


def test_half_is_not_a_majority() -> None:
    """Of two branches a majority needs both."""
    player = Player(draw("r -> a -> w", "r -> b -> w", joins={"w": JoinRule.MAJORITY}))
    player.complete("r")
    player.complete("a")
    assert player.ready() == ["b"]


@pytest.mark.parametrize("join", list(JoinRule))
def test_exclusive_branches_join_again(join: JoinRule) -> None:
    """An if/else whose branches meet runs the meeting node once, whatever its join: the branch not taken does not count."""
    workflow = draw(Edge("a", "x", "c"), Edge("a", "y", "!c"), "x -> w", "y -> y2 -> w", joins={"w": join})
    player = Player(workflow, truth=lambda run, target: target == "x")
    assert player.play() == ["a", "x", "w"]
    assert player.skipped() == ["y", "y2"]
    assert player.inputs[NodeRun("w", 1)] == (NodeRun("x", 1),)


def test_when_no_condition_is_true_everything_behind_is_skipped() -> None:
    """All edges dead: the nodes behind are skipped and the node itself is the result."""
    player = Player(draw(Edge("a", "b", "c"), "b -> d"), truth=lambda run, target: False)
    assert player.play() == ["a"]
    assert player.skipped() == ["b", "d"]
    assert player.results() == ["a"]


def _three_branches(join: JoinRule) -> Workflow:
    return draw("r -> a -> w", "r -> b -> w", "r -> c -> w", joins={"w": join})


@pytest.mark.parametrize(
    ("join", "failures", "runs"),
    [
        (JoinRule.ALL, 0, True),
        (JoinRule.ALL, 1, False),
        (JoinRule.MAJORITY, 1, True),
        (JoinRule.MAJORITY, 2, False),
        (JoinRule.ANY, 2, True),
        (JoinRule.ANY, 3, False),
    ],
)
def test_failed_branches_count_against_a_join(join: JoinRule, failures: int, runs: bool) -> None:
    """A failed branch is not a dead one: it stays in the number that the rule is about."""
    player = Player(_three_branches(join))
    player.complete("r")
    for position, node_id in enumerate(("a", "b", "c")):
        if position < failures:
            frontier.fail(player.progress, NodeRun(node_id, 1))
        else:
            player.complete(node_id)
    assert player.ready() == (["w"] if runs else [])


def test_a_node_that_failures_make_impossible_is_skipped_and_passes_the_failure_on() -> None:
    """The first failure decides a join on all at once; behind it a join on any still runs by its other branch."""
    player = Player(draw("r -> a -> w -> z", "r -> b -> w", "r -> c -> z", "w -> x", joins={"z": JoinRule.ANY}))
    player.complete("r")
    assert frontier.fail(player.progress, NodeRun("a", 1)).skipped == ("w", "x")
    assert player.play() == ["r", "b", "c", "z"]


def test_several_start_edges_begin_together() -> None:
    """Every target of an edge from START is ready at once and has no inputs."""
    workflow = draw("a -> w", "b -> w")
    workflow = type(workflow)("w", workflow.nodes, (Edge(START, "a"), Edge(START, "b"), *workflow.edges))
    player = Player(workflow)
    assert player.ready() == ["a", "b"]
    assert player.play() == ["a", "b", "w"]


def test_an_edge_to_end_makes_a_result_without_stopping_the_rest() -> None:
    """END marks where output comes from; other branches run on."""
    player = Player(draw("a -> b", Edge("a", END), "b -> c"))
    assert player.play() == ["a", "b", "c"]
    assert player.results() == ["a", "c"]


def test_an_outcome_is_taken_once() -> None:
    """Completing a run twice, or one that is not ready, is refused."""
    player = Player(draw("a -> b"))
    player.complete("a")
    for run in (NodeRun("a", 1), NodeRun("b", 2)):
        with pytest.raises(ValueError, match="not outstanding"):
            frontier.complete(player.progress, run)


def test_truth_values_must_be_those_of_the_conditional_edges() -> None:
    """A truth value too few or too many is refused and changes nothing."""
    progress = frontier.start(build_graph(draw(Edge("a", "b", "x"), "a -> c")))
    for truths in ({}, {"c": True}, {"b": True, "c": True}):
        with pytest.raises(ValueError, match="truth values"):
            frontier.complete(progress, NodeRun("a", 1), truths)
    frontier.complete(progress, NodeRun("a", 1), {"b": True})
    assert [item.node_id for item in frontier.ready(progress)] == ["b", "c"]


def test_the_cost_of_an_outcome_does_not_grow_with_the_graph() -> None:
    """A chain of 10,000 nodes takes about ten times as long as one of 1,000, not a hundred times."""

    def seconds_for(count: int) -> float:
        graph = build_graph(draw(" -> ".join(f"n{i}" for i in range(count))))
        best = float("inf")
        for _ in range(3):
            progress = frontier.start(graph)
            began = time.process_time()
            while not frontier.finished(progress):
                frontier.complete(progress, frontier.ready(progress)[0].run)
            best = min(best, time.process_time() - began)
        return best

    # Beside other processes one measurement may be off; work that grows with the graph is slow each time.
    assert any(seconds_for(10_000) < 40 * seconds_for(1_000) for _ in range(5))
