"""ForkRun over a real channel, typed and as JSON."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from meshflow_grpc._gen.meshflow.v1 import ledger_service_pb2 as messages
from meshflow_grpc._gen.meshflow.v1.rest_service_pb2 import RunBody
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import ForkRunRequest, WaitRunRequest
from tests.conformance.drafts import whole_run
from tests.service.conftest import Service, failing


def body_of(run_id: str, **fields: Any) -> RunBody:
    """A JSON body for a run."""
    body = Struct()
    body.update(fields)
    return RunBody(run_id=run_id, body=body)


async def test_a_fork_goes_on_by_itself(service: Service) -> None:
    """It is a run like any other: it ends, verifies, and repeats only what followed the point."""
    parent = await service.runs.Run(RunRequest(task="tides"))
    started = await service.runs.ForkRun(ForkRunRequest(run_id=parent.run_id, before_node="writer"))
    twin = await service.rest.ForkRunJson(body_of(parent.run_id, before_node="writer"))
    assert len({parent.run_id, started.run_id, twin.run_id}) == 3
    for run_id in (started.run_id, twin.run_id):
        run = await service.runs.WaitRun(WaitRunRequest(run_id=run_id, timeout_s=30))
        assert (run.status, run.policy_digest) == ("completed", parent.policy_digest)
        assert run.total_tokens < parent.total_tokens
        assert (await service.ledger.VerifyRun(messages.VerifyRunRequest(run_id=run_id))).valid


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"before_nod": "writer"}, ["before_nod"]),
        ({"before_sequence": 2.5}, ["before_sequence"]),
        ({"before_sequence": True}, ["before_sequence"]),
        ({"before_node": 3}, ["before_node"]),
        ({}, ["before_sequence"]),
    ],
)
async def test_a_wrong_json_point_is_named(service: Service, fields: dict[str, Any], named: list[str]) -> None:
    """Unknown keys, wrong types and no point at all."""
    parent = await service.runs.Run(RunRequest(task="tides"))
    refused = await failing(service.rest.ForkRunJson(body_of(parent.run_id, **fields)))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, named)


async def test_another_tenants_run_is_not_forked(service: Service) -> None:
    """It is not found."""
    await whole_run(service.world.runtime.storage, "run_theirs")
    refused = await failing(service.runs.ForkRun(ForkRunRequest(run_id="run_theirs", before_sequence=2)))
    assert refused.code is grpc.StatusCode.NOT_FOUND
