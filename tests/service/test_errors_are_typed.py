"""Every refusal arrives with its code, reason, fields and a way out; nothing internal leaks."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from meshflow_grpc._gen.meshflow.v1 import error_reason_pb2
from meshflow_grpc._gen.meshflow.v1.ledger_service_pb2 import ListEntriesRequest, VerifyRunRequest
from meshflow_grpc._gen.meshflow.v1.policy_pb2 import Policy
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import (
    CancelRunRequest,
    GetRunRequest,
    ListRunsRequest,
    WaitRunRequest,
    WatchRunRequest,
)
from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.domain.errors import ErrorReason
from meshflow_grpc.governance.enforcement import ENFORCED_BY
from meshflow_grpc.rpc.error_status import CODES
from tests.service.conftest import MakeService, Service, failing

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DOCS = Path(__file__).parents[2] / "docs" / "errors.md"


def test_every_reason_has_one_code_and_one_name_in_the_contract() -> None:
    """Domain, table and proto hold the same reasons."""
    proto = {name.removeprefix("ERROR_REASON_") for name, _ in error_reason_pb2.ErrorReason.items()} - {"UNSPECIFIED"}

    assert set(CODES) == set(ErrorReason)
    assert {r.value for r in ErrorReason} <= proto


def test_the_documented_table_is_the_code() -> None:
    """docs/errors.md has a row per reason with its gRPC code."""
    rows = [line.split("|") for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    documented = {row[1].strip().strip("`"): row[2].strip() for row in rows}

    assert {r: CODES[ErrorReason(r)].name for r in documented if r in list(ErrorReason)} == {
        r.value: CODES[r].name for r in ErrorReason
    }
    proto = {name.removeprefix("ERROR_REASON_") for name, _ in error_reason_pb2.ErrorReason.items()} - {"UNSPECIFIED"}
    assert set(documented) == proto


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (RunRequest(), ["task"]),
        (RunRequest(task="  "), ["task"]),
        (RunRequest(task="x", policy=Policy(budget_usd=-1, max_steps=0)), ["policy.budget_usd", "policy.max_steps"]),
        (RunRequest(task="x", policy=Policy(budget_usd=float("nan"))), ["policy.budget_usd"]),
        (RunRequest(task="x", policy=Policy(mode="strict")), ["policy.mode"]),
        (RunRequest(task="x", on_disconnect="stay"), ["on_disconnect"]),
        (RunRequest(task="x", event_view="all"), ["event_view"]),
        (RunRequest(task="x", expected_policy_digest="abc"), ["expected_policy_digest"]),
        (RunRequest(task="x", request_id="a" * 129), ["request_id"]),
        (RunRequest(task="x", labels={"": "x"}), ["labels"]),
        (RunRequest(task="x", workflow="default", workflow_yaml="x"), ["workflow_yaml"]),
    ],
)
async def test_bad_requests_name_their_fields(service: Service, request_: RunRequest, fields: list[str]) -> None:
    """All of them, with paths; nothing is recorded."""
    error = await failing(service.runs.Run(request_))

    assert (error.code, error.reason, error.fields) == (INVALID, "INVALID_REQUEST", fields)
    assert not (await service.runs.ListRuns(ListRunsRequest())).runs


async def test_an_unenforced_policy_field_is_refused_by_name(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never accepted and ignored, by a server that enforces less than the contract."""
    monkeypatch.delitem(ENFORCED_BY, "enable_cross_run_learning")
    policy = Policy(enable_uncertainty=True, enable_cross_run_learning=True)
    error = await failing(service.runs.Run(RunRequest(task="x", policy=policy)))

    assert (error.code, error.reason) == (INVALID, "POLICY_FIELD_NOT_ENFORCED")
    assert error.fields == ["policy.enable_cross_run_learning"]


async def test_policy_fields_of_a_newer_contract_are_refused(service: Service) -> None:
    """A field number this server does not know could be governance; it is not dropped."""
    policy = Policy.FromString(Policy(budget_usd=1).SerializeToString() + bytes([0xC8, 0x3E, 0x01]))
    error = await failing(service.runs.Run(RunRequest(task="x", policy=policy)))

    assert (error.code, error.fields) == (INVALID, ["policy"])


async def test_bad_inline_workflows_name_line_and_column(service: Service) -> None:
    """The place in the YAML."""
    error = await failing(service.runs.Run(RunRequest(task="x", workflow_yaml="name: x\nnodez: {}\n")))

    assert (error.code, error.reason) == (INVALID, "INVALID_WORKFLOW")
    assert any("2:1" in field for field in error.fields)


async def test_node_kinds_this_server_cannot_execute_are_refused_at_load(service: Service) -> None:
    """Not in the middle of a run."""
    text = "name: x\nnodes:\n  gate: {kind: human, prompt: ok?}\n"
    error = await failing(service.runs.Run(RunRequest(task="x", workflow_yaml=text)))

    assert (error.code, error.reason) == (INVALID, "INVALID_WORKFLOW")


async def test_unknown_things_are_not_found(service: Service) -> None:
    """Runs and workflows."""
    for call in (
        service.runs.GetRun(GetRunRequest(run_id="run_x")),
        service.runs.WaitRun(WaitRunRequest(run_id="run_x")),
        service.runs.CancelRun(CancelRunRequest(run_id="run_x")),
        service.ledger.ListEntries(ListEntriesRequest(run_id="run_x")),
        service.ledger.VerifyRun(VerifyRunRequest(run_id="run_x")),
        service.runs.WatchRun(WatchRunRequest(run_id="run_x")).read(),
    ):
        error = await failing(call)
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
        assert error.metadata == {"run_id": "run_x"}
    error = await failing(service.runs.Run(RunRequest(task="x", workflow="nope")))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "WORKFLOW_NOT_FOUND")


async def test_a_reused_request_id_already_exists(service: Service) -> None:
    """With the id of the run that has it."""
    run = await service.runs.Run(RunRequest(task="x", request_id="r"))
    error = await failing(service.runs.Run(RunRequest(task="y", request_id="r")))

    assert (error.code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert error.metadata["run_id"] == run.run_id


async def test_another_policy_than_expected_is_a_failed_precondition(service: Service) -> None:
    """With both digests."""
    run = await service.runs.Run(RunRequest(task="x"))
    assert (
        await service.runs.Run(RunRequest(task="x", expected_policy_digest=run.policy_digest))
    ).status == "completed"
    request = RunRequest(task="x", expected_policy_digest=run.policy_digest, policy=Policy(max_steps=9))
    error = await failing(service.runs.Run(request))

    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "POLICY_DIGEST_MISMATCH")


async def test_too_many_runs_in_flight_say_when_to_come_back(make_service: MakeService) -> None:
    """The limit is named."""
    service: Service = await make_service(options=RuntimeOptions(max_in_flight=0))
    error = await failing(service.runs.Run(RunRequest(task="x")))

    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "ADMISSION_LIMIT")
    assert error.retry_after_s == 1.0
    assert "MESHFLOW_MAX_IN_FLIGHT_RUNS" in error.message


async def test_a_draining_server_is_unavailable(service: Service) -> None:
    """New runs are refused, reads go on, probes say so."""
    run = await service.runs.Run(RunRequest(task="x"))
    service.world.runtime.state.draining = True
    error = await failing(service.runs.Run(RunRequest(task="x")))

    assert (error.code, error.reason, error.retry_after_s) == (grpc.StatusCode.UNAVAILABLE, "DRAINING", 1.0)
    assert (await service.runs.GetRun(GetRunRequest(run_id=run.run_id))).status == "completed"


async def test_a_defect_tells_nothing_but_the_request_id(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """No class, no message, no stack."""

    async def broken(*_: object, **__: object) -> None:
        message = "password=hunter2"
        raise RuntimeError(message)

    monkeypatch.setattr(service.world.storage, "get_run", broken)
    call = service.runs.GetRun(GetRunRequest(run_id="x"), metadata=(("x-request-id", "req-1"),))
    error = await failing(call)

    assert (error.code, error.reason, error.metadata) == (grpc.StatusCode.INTERNAL, "INTERNAL", {"request_id": "req-1"})
    assert "hunter2" not in error.message
    assert "RuntimeError" not in error.message


async def test_the_json_face_refuses_what_envoy_would_drop(service: Service) -> None:
    """Unknown keys at every level, with the nearest known one."""
    body = Struct()
    body.update({"task": "x", "polcy": {"budget_usd": 1}})
    error = await failing(service.rest.RunJson(body))
    assert (error.code, error.fields) == (INVALID, ["polcy"])
    assert "did you mean 'policy'" in error.message

    body.Clear()
    body.update({"bad_field": "oops"})
    error = await failing(service.rest.RunJson(body))
    assert error.fields == ["bad_field", "task"]
