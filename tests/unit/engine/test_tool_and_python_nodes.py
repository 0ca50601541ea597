"""Tool nodes call tools with arguments from earlier outputs; python nodes call the application's functions."""

from __future__ import annotations

import json

import pytest

from meshflow_grpc.domain.errors import InvalidWorkflowError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import RunRequest, RunStatus
from tests.fakes.providers import FakeProvider
from tests.fakes.tools import Application
from tests.unit.engine.conftest import ALICE, World, make_world


def world_of(*script: object) -> tuple[World, Application]:
    """A world whose agent ``a`` answers by the script."""
    application = Application()
    return make_world(FakeProvider({"a": list(script)}), tools=application.registry()), application


def after_agent(node: str) -> str:
    """Agent ``a``, then node ``t``."""
    return f"name: w\nentry: a\nnodes:\n  a: {{role: EXECUTOR}}\n  t: {node}\nedges: [a -> t]\n"


async def test_arguments_are_made_of_task_and_earlier_outputs() -> None:
    """A lone reference to a key keeps its JSON type; ``$${`` stays."""
    world, _ = world_of('{"times": 2}')
    node = '{kind: tool, tool: echo, arguments: {text: "${task}/$${x}/${a}", times: "${a.times}"}}'
    run = await world.run("hi", workflow_yaml=after_agent(node))

    assert run.status is RunStatus.COMPLETED
    assert json.loads(run.output) == {"said": 'hi/${x}/{"times": 2}' * 2}


async def test_a_tool_node_can_refer_to_any_earlier_node() -> None:
    """Not only to the one before it."""
    world, application = world_of("draft")
    text = (
        "name: w\nentry: a\nnodes:\n  a: {role: EXECUTOR}\n  b: {role: CRITIC}\n"
        '  t: {kind: tool, tool: mail, arguments: {text: "${a}"}}\nedges: [a -> b, b -> t]\n'
    )
    await world.run(workflow_yaml=text)

    assert application.effects == ["mail draft"]


@pytest.mark.parametrize(
    ("node", "field", "told"),
    [
        ("{kind: tool, tool: pai}", "tool", "did you mean 'pay'"),
        ("{kind: python, ref: joyn}", "ref", "did you mean 'join'"),
        ('{kind: tool, tool: mail, arguments: {text: "${z}"}}', "arguments", "${z} must name task, or a node"),
        ('{kind: tool, tool: mail, arguments: {text: "${t}"}}', "arguments", "${t} must name"),
        ("{kind: tool, tool: pay, arguments: {amount: much}}", "arguments", "is not of type 'integer'"),
        ("{kind: tool, tool: pay}", "arguments", "'amount' is a required property"),
        ("{kind: http, url: https://x.example}", "url", "calls no HTTP hosts"),
        ("{kind: grpc, peer: build.ai}", "kind", "no node of a mesh"),
    ],
)
async def test_what_could_not_run_is_refused_with_the_workflow(node: str, field: str, told: str) -> None:
    """Place and fix, before anything is recorded."""
    world, _ = world_of()
    with pytest.raises(InvalidWorkflowError) as caught:
        await world.run(workflow_yaml=after_agent(node))
    (problem,) = caught.value.violations

    assert problem.field == f"workflow.nodes.t.{field}"
    assert told in problem.description


async def test_a_reference_without_value_denies_the_step() -> None:
    """Never called with half of its arguments."""
    world, application = world_of("no JSON")
    node = '{kind: tool, tool: pay, arguments: {amount: "${a.amount}"}}'
    run = await world.run(workflow_yaml=after_agent(node))

    assert (run.status, run.blocked_by) == (RunStatus.BLOCKED, "tool_permission")
    assert "has no key 'amount'" in (run.reason or "")
    assert application.effects == []


async def test_a_function_gets_task_and_upstream_and_gives_an_object() -> None:
    """Its JSON is the output; it is recorded as a function."""
    world, _ = world_of("found")
    run = await world.run("tides", workflow_yaml=after_agent("{kind: python, ref: join}"))
    entry = (await world.entries(run.run_id))[2]

    assert json.loads(run.output) == {"seen": {"task": "tides", "upstream": {"a": "found"}}, "count": 2}
    assert entry.facts["function"] == "join"


async def test_a_result_that_is_no_json_fails_the_step() -> None:
    """And says what it was."""
    world, _ = world_of("found")
    run = await world.run(workflow_yaml=after_agent("{kind: python, ref: bad}"))

    assert run.status is RunStatus.FAILED
    assert "neither text nor JSON but set" in (run.reason or "")


async def test_masked_data_is_masked_for_the_tool_too() -> None:
    """What the ledger may not keep, the tool does not see."""
    world, application = world_of("write to jane.doe@example.org")
    node = '{kind: tool, tool: mail, arguments: {text: "${a}"}}'
    run = await world.run(workflow_yaml=after_agent(node), policy={"scrub_pii": True})

    assert run.status is RunStatus.COMPLETED
    assert "jane.doe" not in application.effects[0]
    assert all("jane.doe" not in (e.input or "") for e in (await world.entries(run.run_id))[2:])


async def test_a_tool_node_the_policy_denies_blocks_the_run() -> None:
    """Stage and remedy; CheckRun knows it beforehand."""
    world, application = world_of("text")
    workflow = after_agent('{kind: tool, tool: mail, arguments: {text: "${a}"}}')
    run = await world.run(workflow_yaml=workflow, policy={"denied_tools": ["mail"]})
    request = RunRequest(task="x", workflow_yaml=workflow, policy={"denied_tools": ["mail"]})
    check = await world.runtime.commands.check_run.execute(ALICE, request)

    assert (run.status, run.blocked_by) == (RunStatus.BLOCKED, "tool_permission")
    assert [(v.field, v.stage) for v in check.violations] == [("workflow.nodes.t.tool", "tool_permission")]
    assert application.effects == []
    assert (await world.entries(run.run_id))[2].kind is EntryKind.STEP_DENIED
