"""Bounded back edges: what runs again, how often, with which inputs, and how a run goes on afterwards."""

from __future__ import annotations

import pytest

from meshflow_grpc.domain.workflow import END, Edge, JoinRule
from meshflow_grpc.workflow import frontier
from meshflow_grpc.workflow.frontier import NodeRun
from meshflow_grpc.workflow.graph import GraphStructureError, build_graph
from tests.unit.workflow.drawing import Player, draw


def _pipeline(max_iterations: int = 2) -> Player:
    """The capstone: researcher, two analysts, writer, quality gate with a loop back to the writer, publisher."""
    workflow = draw(
        "researcher -> analyst_a -> writer",
        "researcher -> analyst_b -> writer",
        "writer -> gate",
        Edge("gate", "writer", "quality_score < 0.8", max_iterations),
        Edge("gate", "publisher", "quality_score >= 0.8"),
    )
    return Player(workflow)


def test_the_cycle_runs_again_until_the_condition_is_false() -> None:
    """Writer and gate both run again; the analysts do not; the publisher runs once."""
    player = _pipeline()
    player.truth = lambda run, target: (target == "writer") == (run.iteration < 2)
    head = ["researcher", "analyst_a", "analyst_b"]
    assert player.play() == [*head, "writer", "gate", "writer", "gate", "publisher"]
    assert [item.loop.iteration for item in player.transitions if item.loop] == [1]
    assert not any(item.exhausted for item in player.transitions)
    assert player.results() == ["publisher"]


def test_at_the_bound_the_run_goes_on_and_says_so() -> None:
    """A condition that stays true runs the cycle 1 + max_iterations times, then the forward edge is taken although false."""
    player = _pipeline(max_iterations=2)
    player.truth = lambda run, target: target == "writer"
    player.play()
    assert player.log.count("writer") == player.log.count("gate") == 3
    assert player.log[-1] == "publisher"
    (exhausted,) = player.transitions[-2].exhausted
    assert (exhausted.edge.target, exhausted.iteration, exhausted.max_iterations) == ("writer", 2, 2)
    assert frontier.loop_counts(player.progress) == {("gate", "writer"): 2}


def test_the_rewritten_node_gets_its_first_inputs_and_the_critique() -> None:
    """On re-entry the live incoming edges feed the target as before and the loop's source comes last."""
    player = _pipeline()
    player.truth = lambda run, target: (target == "writer") == (run.iteration < 2)
    player.play()
    first = (NodeRun("analyst_a", 1), NodeRun("analyst_b", 1))
    assert player.inputs[NodeRun("writer", 1)] == first
    assert player.inputs[NodeRun("writer", 2)] == (*first, NodeRun("gate", 1))
    assert player.inputs[NodeRun("gate", 2)] == (NodeRun("writer", 2),)


def test_at_the_bound_true_forward_edges_win_over_the_first() -> None:
    """The first declared forward edge is only for the case that none is true."""
    workflow = draw("a -> b", Edge("b", "a", "again", 1), Edge("b", "x", "x"), Edge("b", "y", "y"))
    assert Player(workflow, truth=lambda run, target: target in {"a", "y"}).play() == ["a", "b", "a", "b", "y"]
    assert Player(workflow, truth=lambda run, target: target == "a").play() == ["a", "b", "a", "b", "x"]


@pytest.mark.parametrize("bound", [1, 2, 7])
def test_a_node_may_follow_itself(bound: int) -> None:
    """A self loop runs its node 1 + max_iterations times at most, each run fed by the one before."""
    player = Player(draw(Edge("a", "a", "again", bound), "a -> b"))
    assert player.play() == ["a"] * (1 + bound) + ["b"]
    assert player.inputs[NodeRun("a", 2)] == (NodeRun("a", 1),)


def test_an_edge_that_leaves_the_loop_waits_for_its_end() -> None:
    """The publisher, fed by writer and gate, runs once and gets the last draft, not the first."""
    workflow = draw("w -> g", Edge("g", "w", "again", 3), "w -> p", "g -> p", "w -> side")
    player = Player(workflow, truth=lambda run, target: run.iteration < 3)
    assert player.play() == ["w", "g", "w", "g", "w", "g", "side", "p"]
    assert player.inputs[NodeRun("p", 1)] == (NodeRun("w", 3), NodeRun("g", 3))
    assert player.inputs[NodeRun("side", 1)] == (NodeRun("w", 3),)


def test_counts_belong_to_the_run_not_to_the_definition() -> None:
    """Two runs of one graph have their own counts."""
    workflow = draw(Edge("a", "a", "again", 2), "a -> b")
    for _ in range(2):
        assert Player(workflow).play() == ["a", "a", "a", "b"]


def test_nested_loops_share_one_count_per_run() -> None:
    """The inner bound holds for the whole run: going round the outer loop does not renew it."""
    workflow = draw("o -> i -> c -> g -> end", Edge("c", "i", "inner", 2), Edge("g", "o", "outer", 2))
    player = Player(workflow)
    player.play()
    assert player.log.count("i") == 1 + 2 + 2
    assert player.log.count("o") == player.log.count("g") == 3
    assert player.log.count("end") == 1


def test_a_branch_skipped_in_one_round_may_run_in_the_next() -> None:
    """Dead paths inside the body are forgotten when the body starts afresh."""
    workflow = draw(Edge("a", "x", "x"), Edge("a", "y", "y"), "x -> g", "y -> g", Edge("g", "a", "again", 1))
    player = Player(
        workflow, truth=lambda run, target: run == (("a", 1) if target == "x" else ("a", 2)) or target == "a"
    )
    assert player.play() == ["a", "x", "g", "a", "y", "g"]
    assert player.inputs[NodeRun("y", 1)] == (NodeRun("a", 2),)


def test_a_loop_makes_runs_in_flight_obsolete() -> None:
    """When a join on any lets the loop fire early, the slow branch's old run changes nothing and its new run counts."""
    workflow = draw("v -> p -> t", "v -> q -> t", Edge("t", "v", "again", 1), "q -> after", joins={"t": JoinRule.ANY})
    player = Player(workflow, truth=lambda run, target: run.iteration == 1)
    for node_id in ("v", "p", "t"):
        transition = player.complete(node_id)
    assert transition.superseded == (NodeRun("q", 1),)
    assert player.ready() == ["v"]
    assert frontier.complete(player.progress, NodeRun("q", 1)).stale
    assert player.play() == ["v", "p", "t", "v", "p", "q", "t", "after"]
    assert player.inputs[NodeRun("after", 1)] == (NodeRun("q", 2),)


def test_a_loop_whose_source_is_skipped_is_over() -> None:
    """Edges held by a loop are set free when its source lies on a dead path."""
    workflow = draw("w -> side", Edge("w", "g", "check"), Edge("g", "w", "again", 2), "g -> p")
    player = Player(workflow, truth=lambda run, target: False)
    assert player.play() == ["w", "side"]
    assert player.skipped() == ["g", "p"]


def test_of_two_loops_the_first_declared_fires_while_it_can() -> None:
    """Two back edges of one node: the first with a true condition and iterations left is taken."""
    workflow = draw("a -> b -> c", Edge("c", "b", "near", 1), Edge("c", "a", "far", 1))
    player = Player(workflow)
    assert player.play() == ["a", "b", "c", "b", "c", "a", "b", "c"]
    assert len(player.transitions[-1].exhausted) == 2


def test_loops_that_overlap_are_refused() -> None:
    """Two critics that each send back to the writer would wait for each other."""
    workflow = draw("w -> c1", "w -> c2", Edge("c1", "w", "x", 1), Edge("c2", "w", "y", 1))
    with pytest.raises(GraphStructureError, match="overlap"):
        build_graph(workflow)


def test_loops_that_wait_for_one_another_are_refused() -> None:
    """Each loop's end depends on an edge that the other holds."""
    workflow = draw(
        "s -> v1 -> x1 -> t1",
        "s -> v2 -> x2 -> t2",
        "x1 -> t2",
        "x2 -> t1",
        Edge("t1", "v1", "c", 1),
        Edge("t2", "v2", "c", 1),
    )
    with pytest.raises(GraphStructureError, match="wait for one another"):
        build_graph(workflow)


def test_a_bound_on_an_edge_that_closes_no_cycle_is_refused() -> None:
    """max_iterations on a forward edge is a mistake, not decoration."""
    with pytest.raises(GraphStructureError, match="closes a cycle"):
        build_graph(draw("a -> b", Edge("a", "c", "x", 2), "b -> c"))


def test_an_inner_loop_holds_its_exits_in_every_round_of_the_outer() -> None:
    """In the second round of the outer loop the inner one runs anew, and what leaves it sees its last round only."""
    workflow = draw(
        "o -> i -> c -> g", "i -> s -> g", Edge("c", "i", "inner", 9), Edge("g", "o", "outer", 1), "g -> end"
    )
    player = Player(workflow, truth=lambda run, target: run.iteration in {1, 3} if target == "i" else True)
    player.play()
    assert player.log.count("i") == 4
    assert player.inputs[NodeRun("s", 1)] == (NodeRun("i", 2),)
    assert player.inputs[NodeRun("s", 2)] == (NodeRun("i", 4),)


def test_a_held_token_is_forgotten_when_the_loop_goes_round() -> None:
    """The loop ends before the slow branch ran again: what it sent in the round before is not delivered in its place."""
    workflow = draw("v -> p -> t", "v -> q -> t", Edge("t", "v", "again", 1), "q -> after", joins={"t": JoinRule.ANY})
    player = Player(workflow, truth=lambda run, target: run.iteration == 1)
    for node_id in ("v", "q", "t", "v", "p", "t"):
        player.complete(node_id)
    assert player.ready() == ["q"]
    player.complete("q")
    assert player.ready() == ["after"]


def test_a_result_of_an_earlier_round_is_not_a_result() -> None:
    """A node that took its edge to END in the first round but not in the last is not part of the output."""
    workflow = draw("w -> g", Edge("w", END, "done"), Edge("g", "w", "again", 1))
    player = Player(workflow, truth=lambda run, target: run.iteration == 1)
    assert player.play() == ["w", "g", "w", "g"]
    assert player.results() == ["g"]
