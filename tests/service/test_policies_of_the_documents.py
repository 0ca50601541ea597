"""The policies that the product's documents give, word by word, over gRPC and as a REST body; and three levels on one task."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc.client.requests import policy_message
from meshflow_grpc.governance.enforcement import ENFORCED_BY
from meshflow_grpc.ports.provider import ModelReply
from tests.fakes.providers import FakeProvider
from tests.service.conftest import MakeService, Service, failing
from tests.unit.engine.gated import PUBLISH

TASK = "Analyze the Q3 revenue figures and flag any anomalies."
ANALYSIS: dict[str, Any] = {"budget_usd": 2.0, "enable_guardian": True, "compliance": "sox"}
EXERCISE: dict[str, Any] = {"mode": "REGULATED", "carbon_budget_g": 3.0}
PIPELINE: dict[str, Any] = {
    "mode": "REGULATED",
    "budget_usd": 5.0,
    "enable_guardian": True,
    "enable_uncertainty": True,
    "enable_environmental": True,
    "carbon_budget_g": 500.0,
    "enable_cross_run_learning": True,
    "immutable_audit": True,
    "circuit_breaker": {
        "max_retries": 2,
        "failure_threshold": 3,
        "failure_window_s": 30.0,
        "half_open_after_s": 10.0,
    },
    "human_in_loop": {"enabled": True, "tier_threshold": "EXTERNAL_IO"},
}


async def over_grpc(service: Service, policy: dict[str, Any], **fields: Any) -> Any:
    """Run with a Policy message."""
    return await service.runs.Run(RunRequest(**{"task": TASK, **fields}, policy=policy_message(policy)))


async def over_rest(service: Service, policy: dict[str, Any], **fields: Any) -> Any:
    """Run with a JSON body, as Envoy hands it over."""
    body = Struct()
    body.update({"task": TASK, **fields, "policy": policy})
    return await service.rest.RunJson(body)


FACES = pytest.mark.parametrize("face", [over_grpc, over_rest])


@FACES
async def test_the_analysis_under_sox_completes(service: Service, face: Any) -> None:
    """Its steps are internal: nobody has to approve them."""
    run = await face(service, ANALYSIS)

    assert (run.status, run.effective_policy.compliance, run.effective_policy.budget_usd) == ("completed", "sox", 2.0)
    assert run.effective_policy.human_in_loop.tier_threshold == "external_io"


@FACES
@pytest.mark.parametrize("profile", ["sox", "hipaa", "gdpr"])
async def test_each_call_of_a_batch_brings_its_own_profile(service: Service, face: Any, profile: str) -> None:
    """One server holds each run to what it asked for; gdpr asks for a purpose."""
    policy = {"budget_usd": 0.5, "compliance": profile, "enable_guardian": True}
    run = await face(service, policy, labels={"purpose": "quarterly report"})

    assert (run.status, run.effective_policy.compliance) == ("completed", profile)


@FACES
async def test_the_regulated_exercise_completes(service: Service, face: Any) -> None:
    """The mode raises what the request left open."""
    run = await face(service, EXERCISE, task="renewable energy")

    assert (run.status, run.effective_policy.mode, run.effective_policy.carbon_budget_g) == (
        "completed",
        "regulated",
        3,
    )
    assert (run.effective_policy.scrub_pii, run.effective_policy.human_in_loop.enabled) == (True, True)


@FACES
async def test_the_full_stack_of_the_pipeline_runs_as_written(service: Service, face: Any) -> None:
    """A field that this server does not enforce is refused by name; everything else is in force."""
    idle = sorted(name for name in PIPELINE if name not in ENFORCED_BY)
    if idle:
        error = await failing(face(service, PIPELINE))
        assert (error.reason, sorted(error.fields)) == (
            "POLICY_FIELD_NOT_ENFORCED",
            [f"policy.{name}" for name in idle],
        )
    enforced = {name: value for name, value in PIPELINE.items() if name not in idle}
    run = await face(service, enforced)
    gated = await face(service, enforced, workflow_yaml=PUBLISH)

    assert run.status == "completed"
    assert run.effective_policy.circuit_breaker.failure_threshold == 3
    assert (gated.status, gated.pending_approval.node_id) == ("paused", "publisher")


@FACES
async def test_three_levels_give_three_explained_results(make_service: MakeService, face: Any) -> None:
    """The same task of an agent in doubt: done, held for a person, stopped. Each says which stage and why."""
    doubtful = ModelReply("perhaps", "fake-mini", 10, 5, confidence=0.4)
    service = await make_service(FakeProvider({"writer": [doubtful] * 3}))
    dev = await face(service, {"mode": "dev"}, workflow_yaml=PUBLISH)
    regulated = await face(service, {"mode": "regulated"}, workflow_yaml=PUBLISH)
    critical = await face(service, {"mode": "legal-critical"}, workflow_yaml=PUBLISH)

    assert (dev.status, dev.output) == ("completed", "publisher done")
    assert (regulated.status, regulated.pending_approval.node_id) == ("paused", "publisher")
    assert "external_io step" in regulated.pending_approval.reason
    assert (critical.status, critical.blocked_by) == ("blocked", "output_guardrails")
    assert "confidence of 0.4" in critical.block_reason
    assert len({dev.policy_digest, regulated.policy_digest, critical.policy_digest}) == 3
