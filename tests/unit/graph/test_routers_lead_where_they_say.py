"""Edges of a StateGraph as programs write them: routers without targets, annotated ones, and edges of several sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import pytest

from meshflow_grpc import END, START, GraphRunError, StateGraph, add
from meshflow_grpc.domain.errors import InvalidWorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable


class State(TypedDict):
    """What was run."""

    seen: Annotated[list[str], add]


def _graph(*names: str) -> StateGraph:
    """Nodes that note their names; the first one starts."""
    graph = StateGraph(State)
    for name in names:
        graph.add_node(name, lambda _, it=name: {"seen": [it]})
    return graph.set_entry_point(names[0])


def _seen(graph: StateGraph) -> list[str]:
    found: list[str] = graph.compile().invoke({"seen": []})["seen"]
    return found


def test_a_router_without_targets_names_nodes_or_the_end() -> None:
    """Onwards, to several, back to itself or further back, and END; a node it does not choose is not run."""
    onwards = _graph("a", "b", "c").add_conditional_edges("a", lambda _: "c").add_edge("b", "c")
    assert _seen(onwards) == ["a", "c"]
    both = _graph("a", "b", "c").add_conditional_edges("a", lambda _: ["b", "c"])
    assert sorted(_seen(both)) == ["a", "b", "c"]
    again = _graph("a").add_conditional_edges("a", lambda s: "a" if len(s["seen"]) < 3 else END)
    assert _seen(again) == ["a", "a", "a"]
    back = _graph("a", "b", "c").add_edge("a", "b").add_edge("b", "c")
    back.add_conditional_edges("c", lambda s: "b" if len(s["seen"]) < 5 else END)
    assert _seen(back) == ["a", "b", "c", "b", "c"]


def test_what_a_router_without_targets_may_not_answer_is_named() -> None:
    """Neither a node that is not there, nor one that an edge leads to anyway."""
    for answer in ("elsewhere", "b"):
        graph = _graph("a", "b").add_edge("a", "b").add_conditional_edges("a", lambda _, it=answer: it)
        with pytest.raises(
            GraphRunError, match=f"the router of 'a' answered '{answer}'; its edges are for 'a', '__end__'"
        ):
            _seen(graph)


def test_the_annotation_of_a_router_names_its_targets() -> None:
    """One answer or a list of them; an answer outside fails the run, and a target that is no node is refused before it."""

    def one(state: State) -> Literal["b", "__end__"]:
        return "b" if len(state["seen"]) < 2 else "__end__"

    def several(_: State) -> list[Literal["b", "c"]]:
        return ["b", "c"]

    async def waited(_: State) -> Literal["c"]:
        return "c"

    routes: list[tuple[Callable[[Any], Any], list[str]]] = [
        (one, ["a", "b"]),
        (several, ["a", "b", "c"]),
        (waited, ["a", "c"]),
    ]
    for route, seen in routes:
        assert sorted(_seen(_graph(*seen).add_conditional_edges("a", route))) == seen
    with pytest.raises(InvalidWorkflowError, match=r"there is no node 'c'"):
        _graph("a", "b").add_conditional_edges("a", several).compile()


def test_open_routers_that_cannot_be_scheduled_are_named() -> None:
    """Loops that overlap only because a router may lead anywhere; the error says how to narrow it."""
    graph = _graph("a", "b", "c").add_edge("a", "b")
    graph.add_conditional_edges("b", lambda _: "c").add_conditional_edges("c", lambda _: END)
    with pytest.raises(InvalidWorkflowError, match=r"overlap.*give targets, or annotate .* \(here: 'b', 'c'\)"):
        graph.compile()


def test_an_edge_of_several_sources_waits_for_all() -> None:
    """The target runs once, after them; a source that is no node is named, and no source at all."""
    graph = _graph("a", "b", "join").add_edge(START, "b").add_edge(["a", "b"], "join")
    seen = _seen(graph)
    assert (sorted(seen[:2]), seen[2:]) == (["a", "b"], ["join"])
    with pytest.raises(InvalidWorkflowError, match="there is no node 'x'"):
        _graph("a", "b").add_edge(["a", "x"], "b").compile()
    wrong: Any = 5
    with pytest.raises(TypeError, match="an edge comes from a node or a list of nodes, not 5"):
        _graph("a").add_edge(wrong, "a")
    with pytest.raises(ValueError, match="the edge to 'a' needs a source"):
        _graph("a").add_edge([], "a")


def test_targets_of_a_wrong_kind_are_refused_where_they_are_given() -> None:
    """One name is no list of names; answers may be other values than text, nodes may not."""
    wrong: Any
    for wrong, problem in (
        ("b", "must be a list"),
        ({"x": 5}, "must be names of nodes or END, not 5"),
        (5, "must be a list"),
    ):
        with pytest.raises(TypeError, match=problem):
            _graph("a", "b").add_conditional_edges("a", lambda _: "b", wrong)
    with pytest.raises(ValueError, match="the router of 'a' needs a target"):
        _graph("a").add_conditional_edges("a", lambda _: END, {})
    assert _seen(_graph("a", "b").add_conditional_edges("a", lambda _: True, {True: "b", False: END})) == ["a", "b"]


def test_a_function_is_a_node_of_its_name() -> None:
    """Also without a name of its own given; what is neither is refused."""

    def step(_: State) -> dict[str, Any]:
        return {"seen": ["step"]}

    assert _seen(StateGraph(State).add_node(step).set_entry_point("step")) == ["step"]
    wrong: Any = 5
    with pytest.raises(TypeError, match="takes a name and a function of the state, not int"):
        StateGraph(State).add_node(wrong)
