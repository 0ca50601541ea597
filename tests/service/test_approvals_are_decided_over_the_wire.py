"""ApprovalService and its JSON twin, over a real channel."""

from __future__ import annotations

from google.protobuf.struct_pb2 import Struct

from meshflow_grpc._gen.meshflow.v1.approval_service_pb2 import (
    DecideApprovalRequest,
    GetApprovalRequest,
    ListApprovalsRequest,
)
from meshflow_grpc._gen.meshflow.v1.policy_pb2 import HumanInLoop, Policy
from meshflow_grpc._gen.meshflow.v1.rest_service_pb2 import ApprovalBody
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest, RunResponse
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import GetRunRequest, WaitRunRequest
from meshflow_grpc.client import AsyncClient
from tests.service.conftest import Service, failing
from tests.unit.engine.gated import PUBLISH


def request(**human: object) -> RunRequest:
    """A run that waits before it publishes."""
    gate = HumanInLoop(enabled=True, tier_threshold="EXTERNAL_IO", **human)  # type: ignore[arg-type]
    return RunRequest(task="x", workflow_yaml=PUBLISH, policy=Policy(human_in_loop=gate))


async def paused(service: Service) -> RunResponse:
    """A run that waits."""
    run: RunResponse = await service.runs.Run(request())
    assert run.status == "paused"
    return run


async def test_the_whole_way_of_an_approval(service: Service) -> None:
    """Paused, listed, shown, approved, completed, verified."""
    run = await paused(service)
    approval_id = run.pending_approval.approval_id
    listed = (await service.approvals.ListApprovals(ListApprovalsRequest())).approvals
    shown = await service.approvals.GetApproval(GetApprovalRequest(approval_id=approval_id))
    decided = await service.approvals.DecideApproval(
        DecideApprovalRequest(
            approval_id=approval_id, decision="approve", comment="ok", expected_action_digest=shown.action_digest
        )
    )
    done = await service.runs.WaitRun(WaitRunRequest(run_id=run.run_id))

    assert [a.approval_id for a in listed] == [approval_id]
    assert (shown.status, shown.node_id, shown.risk) == ("pending", "publisher", "external_io")
    assert (decided.status, decided.reviewer, decided.comment) == ("approved", "anonymous", "ok")
    assert (done.status, done.HasField("pending_approval")) == ("completed", False)


async def test_get_run_says_what_a_run_waits_for(service: Service) -> None:
    """The same as the answer of Run."""
    run = await paused(service)
    again = await service.runs.GetRun(GetRunRequest(run_id=run.run_id))

    assert again.pending_approval == run.pending_approval
    assert again.pending_approval.node_id == "publisher"


async def test_the_json_twin_decides_and_is_strict(service: Service) -> None:
    """Unknown keys, missing and wrong values are refused by name; camel case is understood."""
    run = await paused(service)
    approval_id = run.pending_approval.approval_id
    body = Struct()
    body.update({"decison": "approve", "comment": 3})
    error = await failing(service.rest.DecideApprovalJson(ApprovalBody(approval_id=approval_id, body=body)))
    assert sorted(error.fields) == ["comment", "decision", "decison"]
    for digest in ("0" * 64, ""):
        body = Struct()
        body.update({"decision": "approve", "expectedActionDigest": digest})
        error = await failing(service.rest.DecideApprovalJson(ApprovalBody(approval_id=approval_id, body=body)))
        assert error.reason == "APPROVAL_DIGEST_MISMATCH"
        typed = DecideApprovalRequest(approval_id=approval_id, decision="approve", expected_action_digest=digest)
        assert (await failing(service.approvals.DecideApproval(typed))).reason == "APPROVAL_DIGEST_MISMATCH"
    body = Struct()
    body.update({"decision": "reject"})
    answer = await service.rest.DecideApprovalJson(ApprovalBody(approval_id=approval_id, body=body))
    assert answer.status == "rejected"
    assert (await service.runs.GetRun(GetRunRequest(run_id=run.run_id))).status == "rejected"


async def test_refusals_are_typed(service: Service) -> None:
    """Not found, decided otherwise, not an approver."""
    run = await paused(service)
    approval_id = run.pending_approval.approval_id
    await service.approvals.DecideApproval(DecideApprovalRequest(approval_id=approval_id, decision="reject"))
    error = await failing(
        service.approvals.DecideApproval(DecideApprovalRequest(approval_id=approval_id, decision="approve"))
    )
    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "APPROVAL_ALREADY_DECIDED")
    error = await failing(service.approvals.GetApproval(GetApprovalRequest(approval_id="apr_none-1")))
    assert (error.code.name, error.reason) == ("NOT_FOUND", "APPROVAL_NOT_FOUND")
    closed: RunResponse = await service.runs.Run(request(approvers=["carol"]))
    approval_id = closed.pending_approval.approval_id
    error = await failing(
        service.approvals.DecideApproval(DecideApprovalRequest(approval_id=approval_id, decision="approve"))
    )
    assert (error.code.name, error.reason) == ("PERMISSION_DENIED", "PERMISSION_DENIED")


async def test_the_client_library_lists_shows_and_decides(service: Service) -> None:
    """By the names of the RPCs."""
    run = await paused(service)
    async with AsyncClient(f"127.0.0.1:{service.port}") as client:
        (approval,) = (await client.list_approvals()).approvals
        assert await client.get_approval(approval.approval_id) == approval
        await client.decide_approval(approval.approval_id, "approve", comment="ok")
        assert (await client.wait_run(run.run_id)).status == "completed"
        (decided,) = (await client.list_approvals(run_id=run.run_id)).approvals
    assert decided.status == "approved"


async def test_break_glass_is_refused_without_the_role_on_every_face(service: Service) -> None:
    """The anonymous caller of a trial has no emergency role; a review needs an emergency first."""
    approval_id = (await paused(service)).pending_approval.approval_id
    wanted = DecideApprovalRequest(approval_id=approval_id, decision="approve", comment="now", break_glass=True)
    refused = await failing(service.approvals.DecideApproval(wanted))
    body = ApprovalBody(approval_id=approval_id)
    body.body.update({"decision": "approve", "comment": "now", "breakGlass": True})
    rest = await failing(service.rest.DecideApprovalJson(body))
    wrong = ApprovalBody(approval_id=approval_id)
    wrong.body.update({"decision": "approve", "break_glass": "yes"})
    mistyped = await failing(service.rest.DecideApprovalJson(wrong))
    early = await failing(
        service.approvals.DecideApproval(
            DecideApprovalRequest(approval_id=approval_id, decision="confirm", comment="fine")
        )
    )

    assert (refused.reason, rest.reason) == ("PERMISSION_DENIED", "PERMISSION_DENIED")
    assert mistyped.fields == ["break_glass"]
    assert early.reason == "RUN_CONFLICT"
