"""StateGraph: state, reducers, routes and loops, each run governed and recorded."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, TypedDict

import pytest

from meshflow_grpc import (
    END,
    START,
    GraphRecursionError,
    GraphRunError,
    ReplayLedger,
    StateGraph,
    add,
    last,
    node,
)
from meshflow_grpc.domain.errors import InvalidRequestError, InvalidWorkflowError
from meshflow_grpc.domain.policy import RiskTier


class State(TypedDict, total=False):
    """A state with each kind of reducer."""

    seen: Annotated[list[str], add]
    count: int
    name: Annotated[str, last]
    best: Annotated[int, max]


def _count(state: State) -> dict[str, Any]:
    return {"count": state["count"] + 1, "seen": [f"count {state['count']}"]}


def _counting(limit: int) -> StateGraph:
    """Counts up to a limit by following itself."""
    return (
        StateGraph(State)
        .add_node("step", _count)
        .add_conditional_edges(
            "step", lambda s: "done" if s["count"] >= limit else "again", {"done": END, "again": "step"}
        )
        .set_entry_point("step")
    )


def test_a_loop_ends_where_the_router_says(ledger: str) -> None:
    """The state is what the updates made of it; each round is a step of the run's chain."""
    result = _counting(3).compile().invoke({"seen": [], "count": 0})

    assert result == {"seen": ["count 0", "count 1", "count 2"], "count": 3}

    async def recorded() -> tuple[bool, int]:
        replay = ReplayLedger(ledger)
        (run_id,) = await replay.list_runs()
        entries = await replay.get_run(run_id)
        return bool(await replay.verify_chain(run_id)), sum(entry.kind == "step_committed" for entry in entries)

    assert asyncio.run(recorded()) == (True, 3)


async def test_parallel_nodes_join_their_updates() -> None:
    """Both branches see the state before them; lists add up, and a reducer of one's own keeps the larger number."""

    async def left(state: State) -> dict[str, Any]:
        return {"seen": ["left"], "best": 7}

    def right(state: State) -> dict[str, Any]:
        return {"seen": ["right"], "best": 4}

    def join(state: State) -> dict[str, Any]:
        return {"name": "+".join(sorted(state["seen"][1:]))}

    graph = StateGraph(State).add_node("left", left).add_node("right", right).add_node("join", join)
    for branch in ("left", "right"):
        graph.add_edge(START, branch).add_edge(branch, "join")
    result = await graph.set_finish_point("join").compile().ainvoke({"seen": ["start"], "best": 5})

    assert (sorted(result["seen"]), result["best"], result["name"]) == (["left", "right", "start"], 7, "left+right")


def test_updates_are_streamed_by_node() -> None:
    """One mapping per step, in the order the steps became durable."""
    updates = list(_counting(2).compile().stream({"seen": [], "count": 0}))

    assert updates == [
        {"step": {"count": 1, "seen": ["count 0"]}},
        {"step": {"count": 2, "seen": ["count 1"]}},
    ]


def test_a_cycle_without_an_end_is_stopped_and_says_so() -> None:
    """The recursion limit is an error, not a silent exit."""
    with pytest.raises(GraphRunError) as caught:
        _counting(100).compile(recursion_limit=4).invoke({"seen": [], "count": 0})

    assert isinstance(caught.value.__cause__, GraphRecursionError)
    assert caught.value.status == "failed"


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ({"cuont": 1}, r"input\.cuont.*count"),
        ({"count": "1"}, r"input\.count.*integer"),
        ({"count": True}, r"input\.count"),
    ],
)
def test_a_wrong_input_is_refused_before_anything_runs(state: dict[str, Any], named: str) -> None:
    """Unknown fields and wrong types are named."""
    with pytest.raises(InvalidRequestError, match=named):
        _counting(1).compile().invoke(state)


@pytest.mark.parametrize(
    ("update", "kind"),
    [
        ({"count": "x"}, InvalidRequestError),
        ({"other": 1}, InvalidRequestError),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
def test_a_node_that_goes_wrong_fails_the_run_with_its_cause(update: object, kind: type[Exception]) -> None:
    """A wrong update, an unknown field and an exception end the run; the cause is the error itself."""

    def step(state: State) -> Any:
        if isinstance(update, Exception):
            raise update
        return update

    graph = StateGraph(State).add_node("step", step).set_entry_point("step").compile()
    with pytest.raises(GraphRunError) as caught:
        graph.invoke({"count": 1})

    assert isinstance(caught.value.__cause__, kind)


def test_policy_holds_for_graphs() -> None:
    """A step too many is blocked by the budget, and a risky node waits for a human."""
    with pytest.raises(GraphRunError) as blocked:
        _counting(5).compile(policy={"max_steps": 2}).invoke({"seen": [], "count": 0})
    assert (blocked.value.status, blocked.value.blocked_by) == ("blocked", "budget_check")

    risky = StateGraph(State).add_node("step", node(risk=RiskTier.EXTERNAL_IO)(lambda state: {"count": 1}))
    gate = {"human_in_loop": {"enabled": True, "tier_threshold": "external_io"}}
    with pytest.raises(GraphRunError) as paused:
        risky.set_entry_point("step").compile(policy=gate).invoke({})
    assert paused.value.status == "paused"


def test_wrong_routes_are_told() -> None:
    """A router's answer without an edge names the answers there are."""
    graph = StateGraph(State).add_node("a", _count).set_entry_point("a")
    graph.add_conditional_edges("a", lambda state: "elsewhere", {"done": END})

    with pytest.raises(GraphRunError) as caught:
        graph.compile().invoke({"seen": [], "count": 0})
    assert "'elsewhere'" in str(caught.value.__cause__)


def test_wrong_graphs_are_refused() -> None:
    """A name twice, an edge twice, an edge to nowhere, a class without fields."""
    graph = StateGraph(State).add_node("a", _count).set_entry_point("a")
    with pytest.raises(ValueError, match="'a' is taken"):
        graph.add_node("a", _count)
    with pytest.raises(ValueError, match="two edges"):
        graph.set_entry_point("a")
    with pytest.raises(InvalidWorkflowError, match="nowhere"):
        graph.add_edge("a", "nowhere").compile()
    wrong: Any
    for wrong in (object, {"count": int}):
        with pytest.raises(TypeError, match="TypedDict"):
            StateGraph(wrong)
