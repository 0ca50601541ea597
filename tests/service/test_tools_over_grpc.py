"""Tools through the service: the offline model's scripted calls, in a workflow sent with the request."""

from __future__ import annotations

from typing import Any

from meshflow_grpc._gen.meshflow.v1.ledger_service_pb2 import ListEntriesRequest
from meshflow_grpc._gen.meshflow.v1.policy_pb2 import Policy, ToolList
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc.providers.mock import MockProvider
from tests.fakes.tools import Application
from tests.service.conftest import MakeService, Service, failing

WORKFLOW = """
name: sums
entry: accountant
nodes:
  accountant:
    role: EXECUTOR
    tools: [calculator, echo]
    mock: {tool_calls: [{name: calculator, arguments: {expression: "6*7"}}, {name: echo, arguments: {text: hi}}]}
  total: {kind: python, ref: join}
edges: [accountant -> total]
"""


async def start(make_service: MakeService) -> Service:
    """A server with an application, answered by the offline model."""
    registry = Application().registry()
    made: Any = await make_service(MockProvider(), tools=registry.with_tools(*_built_in()))
    return made  # type: ignore[no-any-return]


def _built_in() -> tuple[Any, ...]:
    from meshflow_grpc.tools.builtin import BUILT_IN

    return BUILT_IN


async def test_a_scripted_agent_calls_tools_and_hands_on(make_service: MakeService) -> None:
    """The result reaches the model, the output the next node, and each call the ledger."""
    service = await start(make_service)
    run = await service.runs.Run(RunRequest(task="count", workflow_yaml=WORKFLOW))
    page = await service.ledger.ListEntries(ListEntriesRequest(run_id=run.run_id))

    assert run.status == "completed"
    assert "Tools answered: 42" in run.output
    assert [e.step_id for e in page.entries][1:-1] == [
        "accountant#1/tool#1",
        "accountant#1/tool#2",
        "accountant#1$2",
        "accountant#1",
        "total#1",
    ]


async def test_the_full_view_names_tools(make_service: MakeService) -> None:
    """The basic view shows nodes alone."""
    service = await start(make_service)
    request = RunRequest(task="count", workflow_yaml=WORKFLOW, event_view="full")
    full = [e async for e in service.runs.StreamRun(request)]
    basic = [e async for e in service.runs.StreamRun(RunRequest(task="count", workflow_yaml=WORKFLOW))]

    assert [e.tool for e in full if e.event_type == "node_completed"] == ["calculator", "echo"]
    assert [e.event_type for e in basic] == ["run_started", "agent_completed", "agent_completed", "run_completed"]


async def test_the_policy_of_the_request_takes_tools_away(make_service: MakeService) -> None:
    """The model calls it all the same: denied, told, and the run goes on."""
    service = await start(make_service)
    policy = Policy(denied_tools=ToolList(names=["calculator"]))
    request = RunRequest(task="count", workflow_yaml=WORKFLOW, policy=policy)
    events = [e async for e in service.runs.StreamRun(request)]
    denied = [e for e in events if e.event_type == "policy_violation"]

    assert events[-1].status == "completed"
    assert [(e.tool, e.blocked_by) for e in denied] == [("calculator", "tool_permission")]
    assert "denied_tools names it" in denied[0].reason


async def test_an_unknown_tool_is_an_invalid_workflow(make_service: MakeService) -> None:
    """Named field, nearest name."""
    service = await start(make_service)
    error = await failing(service.runs.Run(RunRequest(task="x", workflow_yaml=WORKFLOW.replace("echo]", "ekho]"))))

    assert error.fields == ["workflow.nodes.accountant.tools[1]"]
