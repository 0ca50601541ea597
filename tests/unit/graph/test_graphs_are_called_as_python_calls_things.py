"""StateGraph as Python programs use it: left early, several at once, inside and outside event loops, any annotation, quietly."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import pytest

from meshflow_grpc import (
    END,
    START,
    Agent,
    DurableWorkflowExecutor,
    GraphRunError,
    Mesh,
    MeshEvent,
    NodeInput,
    StateGraph,
    StepRuntime,
    WorkflowDefinition,
    add,
    node,
    tool,
)
from meshflow_grpc.domain.errors import InvalidRequestError, InvalidWorkflowError, LedgerUnavailableError
from meshflow_grpc.domain.policy import RiskTier


class Item(TypedDict):
    """Part of a state."""

    name: str


class State(TypedDict):
    """A state."""

    seen: Annotated[list[str], add]
    count: int
    items: NotRequired[list[Item] | None]


def _count(state: State) -> dict[str, Any]:
    return {"count": state["count"] + 1}


def _graph(function: Any = _count, second: Any = _count) -> Any:
    """Two nodes in a row."""
    graph = StateGraph(State).add_node("one", function).add_node("two", second)
    return graph.add_edge(START, "one").add_edge("one", "two").add_edge("two", END).compile()


START_STATE: Any = {"seen": [], "count": 0}


async def _first_only() -> dict[str, Any]:
    async for update in _graph().astream(START_STATE):
        found: dict[str, Any] = update
        break
    return found


def test_a_stream_left_in_the_last_moment_of_its_loop_gives_the_ledger_back() -> None:
    """Nobody closed the iterator, and the loop ended with it; the next run finds the ledger free."""
    assert asyncio.run(_first_only()) == {"one": {"count": 1}}
    assert _graph().invoke(START_STATE)["count"] == 2


def test_a_blocking_stream_left_early_gives_the_ledger_back() -> None:
    """The same for ``stream``."""
    for update in _graph().stream(START_STATE):
        assert update == {"one": {"count": 1}}
        break
    assert _graph().invoke(START_STATE)["count"] == 2


async def test_runs_of_one_loop_share_the_ledger() -> None:
    """Graphs and definitions at once, of which one fails; afterwards it is closed."""
    graph, definition = _graph(), WorkflowDefinition("w").add_node("a", role="WRITER")
    calls = [graph.ainvoke({"seen": [], "count": number}) for number in range(4)]
    found = await asyncio.gather(*calls, graph.ainvoke({"seen": []}), definition.run(input="x"), return_exceptions=True)
    assert [each["count"] for each in found[:4]] == [2, 3, 4, 5]
    assert isinstance(found[4], GraphRunError)
    assert found[5].status == "completed"
    assert (await asyncio.to_thread(graph.invoke, START_STATE))["count"] == 2


async def test_blocking_calls_name_what_to_use_inside_a_loop(recwarn: pytest.WarningsRecorder) -> None:
    """They would hold up everything else."""
    with pytest.raises(RuntimeError, match=r"await ainvoke\(\.\.\.\) instead"):
        _graph().invoke(START_STATE)
    with pytest.raises(RuntimeError, match=r"astream\(\.\.\.\) instead"):
        next(_graph().stream(START_STATE))
    assert not list(recwarn)


def test_dictionaries_within_a_state_and_fields_that_may_be_missing_are_checked() -> None:
    """NotRequired, unions, and TypedDicts of the standard library."""
    assert _graph(lambda _: {"items": [{"name": "a"}]}).invoke(START_STATE)["items"] == [{"name": "a"}]
    assert _graph(lambda _: {"items": None}).invoke(START_STATE)["items"] is None
    with pytest.raises(InvalidRequestError, match=r"input\.items: Input should be a valid string"):
        _graph().invoke({**START_STATE, "items": [{"name": 5}]})


def test_what_is_wrong_with_an_update_is_said_in_the_run() -> None:
    """The field and the problem, not that something was raised."""
    with pytest.raises(GraphRunError, match=r"one\.cuont: is not a field of the state; did you mean 'count'\?"):
        _graph(lambda _: {"cuont": 1}).invoke(START_STATE)
    answers: dict[str, Any] = {"'x'": "x", "None": None, "5": 5}
    for shown, answer in answers.items():
        routed = StateGraph(State).add_node("a", _count).add_conditional_edges("a", lambda _, it=answer: it, {"y": END})
        with pytest.raises(GraphRunError, match=f"the router of 'a' answered {shown}; its edges are for 'y'"):
            routed.set_entry_point("a").compile().invoke(START_STATE)


def test_risk_is_given_by_name_as_for_tools() -> None:
    """Or by tier; another word is refused where it stands."""

    @node(risk="irreversible")
    def pay(_: State) -> dict[str, Any]:
        return {}

    made = StateGraph(State).add_node("pay", pay).set_entry_point("pay").compile()
    assert made.workflow.nodes[0].risk is RiskTier.IRREVERSIBLE
    assert Agent("clerk", risk="external_io").node().risk is RiskTier.EXTERNAL_IO
    known = "must be one of read_only, internal, external_io, irreversible, not 'high'"
    with pytest.raises(ValueError, match=f"risk of 'node' {known}"):
        node(risk="high")
    with pytest.raises(ValueError, match=f"risk of 'clerk' {known}"):
        Agent("clerk", risk="high")


def test_an_agent_that_cannot_be_is_refused_where_it_is_made() -> None:
    """By the field that is wrong; tools are held as they were given."""

    @tool
    def look(what: str) -> str:
        """Looks."""
        return what

    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"name": "not a name"}, InvalidWorkflowError, "'not a name' is not a valid name"),
        ({"name": 5}, TypeError, "the name of an agent must be text, not 5"),
        ({"role": 5}, InvalidWorkflowError, r"nodes\.clerk\.role: must be text"),
        ({"system": None}, InvalidWorkflowError, r"nodes\.clerk\.system: must be text"),
        (
            {"max_output_tokens": 0},
            InvalidWorkflowError,
            r"nodes\.clerk\.max_output_tokens: must be between 1 and 1000000",
        ),
        ({"risk": []}, ValueError, r"risk of 'clerk' must be one of .*, not \[\]"),
        ({"tools": [len]}, TypeError, "len> is not a tool; decorate it with @tool"),
        ({"tools": look}, TypeError, "the tools of 'clerk' must be a list of functions"),
        ({"tools": "look"}, TypeError, "the tools of 'clerk' must be a list of functions, not 'look'"),
    ]
    for fields, kind, problem in wrong:
        with pytest.raises(kind, match=problem):
            Agent(**{"name": "clerk", **fields})
    once: Any = (each for each in [look])
    assert Agent("clerk", tools=once).node().config["tools"] == ["look"]


def test_what_cannot_be_called_is_refused_where_it_is_added() -> None:
    """Nodes, routers, and reducers that do not take two values."""
    broken: Any = 5
    with pytest.raises(TypeError, match="node 'a' must be a function of the state, not int"):
        StateGraph(State).add_node("a", broken)
    with pytest.raises(TypeError, match="the router of 'a' must be a function"):
        StateGraph(State).add_node("a", _count).add_conditional_edges("a", broken, {})

    class Wrong(TypedDict):
        x: Annotated[int, abs]

    with pytest.raises(TypeError, match="the reducer of 'x' must take two values"):
        StateGraph(Wrong)


@pytest.mark.parametrize(
    ("given", "said"), [("", "blank"), (" ", "blank"), (5, "not 5"), (None, "not None"), ([1], "not")]
)
async def test_an_input_that_is_none_is_refused(given: Any, said: str) -> None:
    """As by a server: text that is not blank, or an object."""
    workflow = WorkflowDefinition("w").add_node("a", role="WRITER")
    for run in (
        workflow.run(given),
        Mesh().run_workflow(workflow, given),
        DurableWorkflowExecutor(run_id="r").run(workflow, given),
    ):
        with pytest.raises(InvalidRequestError, match=f"input: must .*{said}"):
            await run


async def test_a_mesh_and_a_runtime_say_what_they_take() -> None:
    """Agents, definitions and functions; a policy by its fields too."""
    wrong: Any = "writer"
    with pytest.raises(TypeError, match=r"register\(\) takes an Agent, not str"):
        Mesh().register(wrong)
    with pytest.raises(TypeError, match="the handler must be a function of the event, not str"):
        Mesh().on(MeshEvent.STEP_COMPLETE, wrong)
    with pytest.raises(TypeError, match=r"must be a WorkflowDefinition, as from_yaml\(\) gives, not str"):
        await Mesh().run_workflow(wrong, input="x")
    with pytest.raises(InvalidRequestError, match=r"budgt_usd: is not a known field; did you mean 'budget_usd'\?"):
        StepRuntime(policy={"budgt_usd": 1})
    refused = await StepRuntime(policy={"budget_usd": 0}).run(NodeInput(Agent("clerk"), "x"))
    assert (refused.verdict, refused.blocked_by) == ("denied", "budget_check")


def test_a_file_that_is_no_text_is_no_workflow(tmp_path: Path) -> None:
    """Said as every other fault of a file is."""
    (tmp_path / "w.yaml").write_bytes(b"name: \xff")
    with pytest.raises(InvalidWorkflowError, match=r"w\.yaml: is not UTF-8 text"):
        WorkflowDefinition.from_yaml(tmp_path / "w.yaml")


def test_two_loops_are_told_that_it_is_this_process() -> None:
    """Not another one to be stopped."""
    inside, release = threading.Event(), threading.Event()

    def hold(_: State) -> dict[str, Any]:
        inside.set()
        assert release.wait(30)
        return {}

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(_graph(hold).invoke, START_STATE)
        assert inside.wait(30)
        try:
            with pytest.raises(LedgerUnavailableError, match="is in use by this process itself"):
                _graph().invoke(START_STATE)
        finally:
            release.set()
        assert holding.result()["count"] == 1


SCRIPT = """
import asyncio
from typing import TypedDict
from meshflow_grpc import StateGraph, WorkflowDefinition, END
class S(TypedDict):
    secret: str
def broken(state):
    raise ValueError("broken")
asyncio.run(WorkflowDefinition("w").add_node("a", role="WRITER").run(input="x"))
try:
    StateGraph(S).add_node("a", broken).set_entry_point("a").compile().invoke({"secret": "Erika Mustermann"})
except Exception as error:
    print(type(error).__name__)
"""


def test_a_program_that_asks_for_no_log_gets_warnings_alone_and_no_values() -> None:
    """Nothing of ours on stdout; on stderr no steps, and no traceback that shows what variables held."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "GraphRunError\n"), done.stderr
    assert "ValueError: broken" in done.stderr
    assert "Mustermann" not in done.stderr
    assert "step_recorded" not in done.stderr
