"""Every RPC that names a run, an approval or a workflow, asked by another tenant: not found, not forbidden, and never shown."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc import aio

from meshflow_grpc._gen.meshflow.v1.approval_service_pb2_grpc import ApprovalServiceStub
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc._gen.meshflow.v1.workflow_service_pb2 import PutWorkflowRequest
from meshflow_grpc._gen.meshflow.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from meshflow_grpc.rpc.authenticators.api_key import ApiKeyAuthenticator, new_api_key, parse_api_keys
from meshflow_grpc.rpc.authorization import is_public
from meshflow_grpc.rpc.server import SERVICE_NAMES, GrpcServer, ServerLimits
from tests.service.conftest import failing, failure
from tests.unit.engine.conftest import make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROLES = ("operator", "approver", "admin")
KEYS = {who: new_api_key(who, who, ROLES, lambda size: "ab" * size) for who in ("acme", "rival")}
SECRET = "the thoroughfare of acme"
WORKFLOW = f"name: ours\nversion: '1'\nentry: a\nnodes:\n  a: {{role: EXECUTOR, system: '{SECRET}'}}\n"
# Fields that name a thing, and what else such a request needs to be well-formed.
NAMES = {"run_id", "approval_id", "name", "run_a", "run_b"}
NEEDED = {"basis": "gdpr art. 17", "decision": "approve", "before_node": "writer", "sequence": 1}
# Lists: a name only selects, and nothing is selected.
LISTS = {"ListApprovals", "ListWorkflows", "ListRuns"}


def credential(who: str) -> tuple[tuple[str, str], ...]:
    """As metadata."""
    return (("authorization", f"Bearer {KEYS[who][0]}"),)


def naming_methods() -> list[Any]:
    """Descriptors of all RPCs whose request names a thing."""
    pool = descriptor_pool.Default()
    services = [pool.FindServiceByName(name) for name in SERVICE_NAMES if name.startswith("meshflow.")]
    return [
        method
        for service in services
        for method in service.methods
        if NAMES & set(method.input_type.fields_by_name)
        and not is_public(f"/{service.full_name}/{method.name}")
        and "Mesh" not in service.name
    ]


@pytest.fixture
async def channel() -> AsyncIterator[aio.Channel]:
    """A channel to a server of two tenants."""
    file = json.dumps({"keys": [entry for _, entry in KEYS.values()]})
    runtime = make_world().runtime
    async with AsyncExitStack() as stack:
        server = GrpcServer(runtime.commands, runtime.state, ApiKeyAuthenticator(parse_api_keys(file)), ServerLimits())
        port = await server.start("127.0.0.1:0")
        stack.push_async_callback(server.stop, 0)
        yield await stack.enter_async_context(aio.insecure_channel(f"127.0.0.1:{port}"))


async def things_of_acme(channel: aio.Channel) -> dict[str, str]:
    """A run, an approval that waits, and a workflow."""
    runs: Any = RunServiceStub(channel)
    workflows: Any = WorkflowServiceStub(channel)
    run = await runs.Run(RunRequest(task=SECRET, session_id="shared"), metadata=credential("acme"))
    gated = RunRequest(task=SECRET)
    gated.policy.human_in_loop.enabled = True
    gated.policy.human_in_loop.tier_threshold = "internal"
    waiting = await runs.Run(gated, metadata=credential("acme"))
    await workflows.PutWorkflow(PutWorkflowRequest(yaml=WORKFLOW), metadata=credential("acme"))
    return {
        "run_id": run.run_id,
        "run_a": run.run_id,
        "run_b": waiting.run_id,
        "approval_id": waiting.pending_approval.approval_id,
        "name": "ours",
    }


def request_of(method: Any, things: dict[str, str]) -> Any:
    """A well-formed request about acme's things."""
    request = message_factory.GetMessageClass(method.input_type)()
    for field in method.input_type.fields:
        if (value := (things | NEEDED).get(field.name)) is not None:
            setattr(request, field.name, value)
    if "body" in method.input_type.fields_by_name:
        wanted = {"Erase": ["basis"], "Decide": ["decision"], "Fork": ["before_node"]}
        keys = next((keys for start, keys in wanted.items() if method.name.startswith(start)), [])
        request.body.update({key: NEEDED[key] for key in keys})
    return request


async def call(channel: aio.Channel, method: Any, request: Any, who: str) -> Any:
    """The answer, or the first message of a stream."""
    answers = message_factory.GetMessageClass(method.output_type)
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    path = f"/{method.containing_service.full_name}/{method.name}"
    answer = make(path, type(request).SerializeToString, answers.FromString)(request, metadata=credential(who))
    return await (answer.read() if method.server_streaming else answer)


async def test_what_another_tenant_names_is_not_found(channel: aio.Channel) -> None:
    """Reads and writes, typed and JSON; what is named is not in the answer either. Nothing of acme has changed."""
    things = await things_of_acme(channel)
    methods = naming_methods()
    assert len(methods) > 20
    for method in methods:
        request = request_of(method, things)
        if method.name in LISTS:
            try:
                answer = str(await call(channel, method, request, "rival"))
            except aio.AioRpcError as error:
                answer = failure(error).message
                assert error.code() is grpc.StatusCode.NOT_FOUND, method.full_name
            assert SECRET not in answer, method.full_name
            continue
        error = await failing(call(channel, method, request, "rival"))
        assert (error.code, error.reason[-10:]) == (grpc.StatusCode.NOT_FOUND, "_NOT_FOUND"), (method.full_name, error)
        assert SECRET not in str(error)


async def test_the_owner_finds_all_of_it(channel: aio.Channel) -> None:
    """The same reads by the tenant itself: the requests above fail for the tenant alone."""
    things = await things_of_acme(channel)
    for method in naming_methods():
        if method.name.startswith(("Get", "List", "Diff", "Verify", "Wait", "Watch", "Export")):
            await call(channel, method, request_of(method, things), "acme")


async def test_lists_hold_what_is_the_tenants_own(channel: aio.Channel) -> None:
    """Runs, runs of a session, approvals, workflows: none of acme's."""
    await things_of_acme(channel)
    runs: Any = RunServiceStub(channel)
    approvals: Any = ApprovalServiceStub(channel)
    workflows: Any = WorkflowServiceStub(channel)
    pool = descriptor_pool.Default()

    def empty(name: str, **fields: str) -> Any:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"meshflow.v1.{name}"))(**fields)

    rival = credential("rival")
    assert not (await runs.ListRuns(empty("ListRunsRequest"), metadata=rival)).runs
    assert not (await runs.ListRuns(empty("ListRunsRequest", session_id="shared"), metadata=rival)).runs
    assert not (await approvals.ListApprovals(empty("ListApprovalsRequest"), metadata=rival)).approvals
    listed = await workflows.ListWorkflows(empty("ListWorkflowsRequest"), metadata=rival)
    assert "ours" not in [workflow.name for workflow in listed.workflows]
