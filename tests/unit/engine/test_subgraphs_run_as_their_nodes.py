"""A subgraph is another workflow's nodes, governed one by one, and a last step that gives on what they gave."""

from __future__ import annotations

import json

import pytest

from meshflow_grpc.domain.errors import InvalidWorkflowError
from meshflow_grpc.domain.ledger_entry import EntryKind
from tests.fakes.providers import FakeProvider
from tests.fakes.tools import Application
from tests.unit.engine.conftest import ALICE, World, make_world
from tests.unit.engine.gated import BOB, POLICY

PAIR = "name: pair\nentry: a\nnodes: {a: {role: EXECUTOR}, b: {role: EXECUTOR}}\nedges: [a -> b]\n"
ENDING = """name: c
entry: a
nodes: {a: {}, b: {}}
edges: [{from: a, to: END, condition: n > 1}, {from: a, to: b, condition: n <= 1}]
"""
BOUNDED = """name: c
entry: a
nodes: {a: {}, b: {}, c: {}}
edges: [a -> b, {from: b, to: a, condition: n < 3, max_iterations: 2}, {from: b, to: c, condition: n >= 3}]
"""
OUTER = """
name: outer
entry: first
nodes:
  first: {}
  sub: {kind: subgraph, workflow: pair}
  last: {}
edges: ["first -> sub", "sub -> last"]
"""


async def _world(*children: str, script: dict[str, list[object]] | None = None) -> World:
    world = make_world(FakeProvider(script))
    for child in children:
        await world.runtime.commands.put_workflow.execute(ALICE, child)
    return world


async def _steps(world: World, run_id: str) -> list[str]:
    return [e.step_id for e in await world.entries(run_id) if e.kind is EntryKind.STEP_COMMITTED]


async def test_the_nodes_of_the_child_are_steps_of_the_run() -> None:
    """Each in the chain under the subgraph's name; the child's output feeds what follows."""
    world = await _world(PAIR)
    run = await world.run(workflow_yaml=OUTER)

    assert (run.status.value, run.output) == ("completed", "last done")
    assert await _steps(world, run.run_id) == ["first#1", "sub.a#1", "sub.b#1", "sub#1", "last#1"]
    prompts = {request.agent_id: request.prompt for request in world.provider.requests}
    assert "Result of first:\nfirst done" in prompts["sub.a"]
    assert "Result of sub:\nsub.b done" in prompts["last"]


@pytest.mark.parametrize(
    ("child", "script"),
    [
        (PAIR, {}),
        ("name: c\nnodes: {a: {}, b: {}}\nedges: [START -> a, START -> b]\n", {}),
        ("name: c\nentry: a\nnodes: {a: {}, b: {}}\nedges: [a -> b, a -> END]\n", {}),
        (
            "name: c\nentry: a\nnodes: {a: {}, b: {}}\nedges: [{from: a, to: b, condition: n > 1}]\n",
            {"a": ['{"n": 1}']},
        ),
        (
            "name: c\nentry: a\nnodes: {a: {}, b: {}}\nedges: [{from: a, to: b, condition: n > 1}]\n",
            {"a": ['{"n": 2}']},
        ),
        (
            ENDING,
            {"a": ['{"n": 2}']},
        ),
        (
            BOUNDED,
            {"b": ['{"n": 1}', '{"n": 1}', '{"n": 1}']},
        ),
    ],
)
async def test_a_subgraph_gives_what_its_workflow_gives_alone(child: str, script: dict[str, list[object]]) -> None:
    """One end, several, an edge to END, conditions that are all false, loops with a bound."""
    alone = make_world(FakeProvider({name: list(lines) for name, lines in script.items()}))
    expected = (await alone.run(workflow_yaml=child)).output
    world = await _world(child, script={f"sub.{name}": list(lines) for name, lines in script.items()})
    name = child.split("\n", 1)[0].removeprefix("name: ")
    run = await world.run(workflow_yaml=f"name: w\nentry: sub\nnodes: {{sub: {{kind: subgraph, workflow: {name}}}}}\n")

    assert run.status.value == "completed"
    assert _plain(run.output) == _plain(expected)


def _plain(output: str) -> object:
    """Outputs of fakes carry the node's full name; several come as an object by name."""
    try:
        return {k: v.replace("sub.", "") if isinstance(v, str) else v for k, v in json.loads(output).items()}
    except ValueError:
        return output.replace("sub.", "")


async def test_loops_lead_back_into_a_subgraph_and_skip_it_whole() -> None:
    """A back edge starts the child anew; on a dead path none of its nodes runs."""
    again = """
name: again
entry: sub
nodes: {sub: {kind: subgraph, workflow: pair}, critic: {}, other: {kind: subgraph, workflow: pair}, end: {}}
edges:
  - sub -> critic
  - {from: critic, to: sub, condition: n < 2, max_iterations: 3}
  - {from: critic, to: other, condition: n > 5}
  - {from: critic, to: end, condition: n <= 5}
  - other -> end
"""
    world = await _world(PAIR, script={"critic": ['{"n": 1}', '{"n": 2}']})
    run = await world.run(workflow_yaml=again)

    steps = await _steps(world, run.run_id)
    assert steps == [
        *("sub.a#1", "sub.b#1", "sub#1", "critic#1"),
        *("sub.a#2", "sub.b#2", "sub#2", "critic#2", "end#1"),
    ]


async def test_subgraphs_nest_and_their_schema_and_risk_hold() -> None:
    """A declared risk gates the first node of the child; the schema is that of the child's output."""
    middle = "name: middle\nentry: s\nnodes: {s: {kind: subgraph, workflow: pair}}\n"
    outer = """
name: w
entry: sub
nodes: {sub: {kind: subgraph, workflow: middle, risk: external_io, output_schema: {type: object}}}
"""
    world = await _world(PAIR, middle, script={"sub.s.b": ["no json"]})
    run = await world.run(workflow_yaml=outer, policy=POLICY)
    assert run.pending_approval is not None
    assert run.pending_approval.node_id == "sub.s.a"

    await world.runtime.commands.decide_approval.execute(BOB, run.pending_approval.approval_id, decision="approve")
    done = await world.runtime.commands.wait_run.execute(ALICE, run.run_id, timeout_s=10)
    assert (done.status.value, done.blocked_by) == ("blocked", "output_guardrails")
    assert await _steps(world, run.run_id) == ["sub.s.a#1", "sub.s.b#1", "sub.s#1"]


async def test_a_run_goes_on_with_the_child_it_was_started_with() -> None:
    """A newer version changes nothing for a run that waits; a new run takes it, or names the old one."""
    world = await _world(PAIR)
    gated = OUTER.replace("first: {}", "first: {risk: external_io}")
    run = await world.run(workflow_yaml=gated, policy=POLICY)
    assert run.pending_approval is not None
    newer = "name: pair\nversion: '2'\nentry: z\nnodes: {z: {}}\n"
    await world.runtime.commands.put_workflow.execute(ALICE, newer)

    await world.runtime.commands.decide_approval.execute(BOB, run.pending_approval.approval_id, decision="approve")
    await world.runtime.commands.wait_run.execute(ALICE, run.run_id, timeout_s=10)
    fresh = await world.run(workflow_yaml=OUTER)
    pinned = await world.run(workflow_yaml=OUTER.replace("workflow: pair", "workflow: pair@1"))

    old = ["first#1", "sub.a#1", "sub.b#1", "sub#1", "last#1"]
    assert await _steps(world, run.run_id) == old
    assert await _steps(world, fresh.run_id) == ["first#1", "sub.z#1", "sub#1", "last#1"]
    assert await _steps(world, pinned.run_id) == old


@pytest.mark.parametrize(
    ("children", "change", "problem"),
    [
        ((), "", "workflow 'pair' was not found"),
        ((PAIR + "policy: {max_steps: 3}\n",), "", "has a policy of its own (max_steps)"),
        ((PAIR,), ", timeout_s: 3", "is not enforced for a subgraph"),
        ((PAIR,), ", max_retries: 3", "is not enforced for a subgraph"),
    ],
)
async def test_what_cannot_be_resolved_is_refused_at_admission(
    children: tuple[str, ...], change: str, problem: str
) -> None:
    """By node and field; nothing runs."""
    world = await _world(*children)
    with pytest.raises(InvalidWorkflowError) as caught:
        await world.run(workflow_yaml=OUTER.replace("workflow: pair", f"workflow: pair{change}"))

    assert problem in caught.value.message
    assert "nodes.sub" in caught.value.message
    assert world.provider.requests == []


async def test_a_workflow_cannot_contain_itself_by_way_of_another() -> None:
    """Found when the second one is registered."""
    world = await _world("name: one\nentry: a\nnodes: {a: {}}\n")
    await world.runtime.commands.put_workflow.execute(
        ALICE, "name: two\nentry: s\nnodes: {s: {kind: subgraph, workflow: one}}\n"
    )
    with pytest.raises(InvalidWorkflowError, match="one contains two contains one"):
        await world.runtime.commands.put_workflow.execute(
            ALICE, "name: one\nversion: '2'\nentry: s\nnodes: {s: {kind: subgraph, workflow: two}}\n"
        )


async def test_references_in_a_child_mean_its_own_nodes() -> None:
    """A tool node of the child refers to the child's nodes; the outer one to the subgraph."""
    child = """
name: child
entry: a
nodes: {a: {}, b: {kind: tool, tool: echo, arguments: {text: 'child ${a} ${task}'}}}
edges: [a -> b]
"""
    outer = """
name: w
entry: a
nodes: {a: {}, sub: {kind: subgraph, workflow: child}, c: {kind: tool, tool: echo, arguments: {text: 'outer ${a} ${sub.said}'}}}
edges: [a -> sub, sub -> c]
"""
    world = make_world(tools=Application().registry())
    await world.runtime.commands.put_workflow.execute(ALICE, child)
    run = await world.run(workflow_yaml=outer)

    assert json.loads(run.output) == {"said": "outer a done child sub.a done tides"}
