"""Floors and compliance profiles over a real channel."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest

from meshflow_grpc._gen.meshflow.v1.ledger_service_pb2 import ListEntriesRequest
from meshflow_grpc._gen.meshflow.v1.policy_pb2 import HumanInLoop, Policy
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.governance.floors import ServerFloors, Tier
from tests.service.conftest import MakeService, Service, failing

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def steps(service: Service, run_id: str) -> list[dict[str, Any]]:
    """The facts of a run's steps, as recorded."""
    entries = (await service.ledger.ListEntries(ListEntriesRequest(run_id=run_id))).entries
    return [json.loads(e.record)["facts"] for e in entries if e.kind.startswith("step_")]


async def test_less_than_a_floor_is_an_invalid_argument_naming_every_field(service: Service) -> None:
    """Run refuses before anything starts; CheckRun tells the same, with the cheapest fix."""
    policy = Policy(mode="hipaa", enable_guardian=False, human_in_loop=HumanInLoop(enabled=False))
    request = RunRequest(task="tides", policy=policy)
    error = await failing(service.runs.Run(request))
    check = await service.runs.CheckRun(request)

    assert (error.code, error.reason) == (INVALID, "POLICY_FLOOR_VIOLATED")
    assert error.fields == ["policy.enable_guardian", "policy.human_in_loop.enabled"]
    assert "mode hipaa" in error.message
    assert not check.admissible
    assert [v.field for v in check.violations] == error.fields
    assert all(v.remedy.startswith("leave it out") for v in check.violations)


async def test_the_digest_is_that_of_the_raised_policy(service: Service) -> None:
    """Expecting it passes; expecting another is a failed precondition that names both."""
    policy = Policy(compliance="hipaa")
    check = await service.runs.CheckRun(RunRequest(task="tides", policy=policy))
    run = await service.runs.Run(RunRequest(task="tides", policy=policy, expected_policy_digest=check.policy_digest))
    other = RunRequest(task="tides", expected_policy_digest=check.policy_digest)
    error = await failing(service.runs.Run(other))

    assert (run.status, run.policy_digest) == ("completed", check.policy_digest)
    assert (run.effective_policy.scrub_pii, run.effective_policy.human_in_loop.tier_threshold) == (True, "external_io")
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert check.policy_digest in error.message
    assert error.metadata["policy_digest"] in error.message


async def test_the_servers_floors_bind_every_run(make_service: MakeService) -> None:
    """A tier and a regulation are in force without being asked for."""
    options = RuntimeOptions(floors=ServerFloors(Tier.ENTERPRISE, ("sox",)))
    service = await make_service(options=options)
    run = await service.runs.Run(RunRequest(task="tides"))
    error = await failing(service.runs.Run(RunRequest(task="tides", policy=Policy(mode="dev"))))

    assert (run.status, run.effective_policy.mode) == ("completed", "regulated")
    assert run.effective_policy.compliance == "sox"
    assert (error.code, error.fields) == (INVALID, ["policy.mode"])
    assert "MESHFLOW_ZT_TIER" in error.message


async def test_gdpr_demands_a_purpose(service: Service) -> None:
    """Stage 6 denies without one, the pre-flight names the field; with one its controls are in every step's entry."""
    policy = Policy(compliance="gdpr")
    blocked = await service.runs.Run(RunRequest(task="tides", policy=policy))
    check = await service.runs.CheckRun(RunRequest(task="tides", policy=policy))
    run = await service.runs.Run(RunRequest(task="tides", policy=policy, labels={"purpose": "coastal planning"}))

    assert (blocked.status, blocked.blocked_by) == ("blocked", "compliance_profile")
    assert "labels.purpose" in blocked.block_reason
    assert [v.field for v in check.violations] == ["labels.purpose"]
    assert run.status == "completed"
    for facts in await steps(service, run.run_id):
        assert {"gdpr.profile", "gdpr.purpose"} <= set(facts["controls"])
        assert facts["stages"][5]["decision"] == "allow"


@pytest.mark.parametrize("profile", ["hipaa", "sox"])
async def test_nobody_anonymous_acts_in_production(make_service: MakeService, profile: str) -> None:
    """Without authentication hipaa and sox deny."""
    service = await make_service(options=RuntimeOptions(production=True, payloads_encrypted=True))
    run = await service.runs.Run(RunRequest(task="tides", policy=Policy(compliance=profile)))

    assert (run.status, run.blocked_by) == ("blocked", "compliance_profile")
    assert "anonymous" in run.block_reason


async def test_health_data_in_the_clear_is_denied_in_production(make_service: MakeService) -> None:
    """hipaa demands encrypted payloads there."""
    service = await make_service(options=RuntimeOptions(production=True))
    run = await service.runs.Run(RunRequest(task="tides", policy=Policy(compliance="hipaa")))

    assert "hipaa.encryption" in run.block_reason


async def test_health_data_that_would_be_kept_in_the_clear_is_not_kept(make_service: MakeService) -> None:
    """No entry of the denied run holds the request; the same server keeps one that no profile forbids."""
    service = await make_service(options=RuntimeOptions(production=True))
    denied = await service.runs.Run(RunRequest(task="Erika Mustermann", policy=Policy(compliance="hipaa")))
    allowed = await service.runs.Run(RunRequest(task="Erika Mustermann"))

    kept = {run.run_id: str(await service.world.storage.entries("default", run.run_id)) for run in (denied, allowed)}
    assert "Mustermann" not in kept[denied.run_id]
    assert "withheld" in kept[denied.run_id]
    assert "Mustermann" in kept[allowed.run_id]


async def test_nor_is_what_its_session_said(make_service: MakeService) -> None:
    """An earlier run without the profile is no way around it."""
    service = await make_service(options=RuntimeOptions(production=True))
    await service.runs.Run(RunRequest(task="Erika Mustermann", session_id="s"))
    denied = await service.runs.Run(RunRequest(task="x", session_id="s", policy=Policy(compliance="hipaa")))

    assert "Mustermann" not in str(await service.world.storage.entries("default", denied.run_id))


async def test_health_data_is_processed_in_production_by_a_server_that_encrypts(make_service: MakeService) -> None:
    """Encrypted and anonymous is still denied; encryption is not what it is denied for."""
    service = await make_service(options=RuntimeOptions(production=True, payloads_encrypted=True))
    run = await service.runs.Run(RunRequest(task="tides", policy=Policy(compliance="hipaa")))

    assert "hipaa.identity" in run.block_reason


async def test_health_data_is_masked_under_hipaa(service: Service) -> None:
    """The agent sees placeholders; the entry counts them by kind."""
    task = "Summarise: patient John Smith, MRN: 48291734, was admitted."
    run = await service.runs.Run(RunRequest(task=task, policy=Policy(compliance="hipaa")))
    facts = await steps(service, run.run_id)

    assert run.status == "completed"
    assert facts[0]["masked"]
    assert all("48291734" not in prompt for prompt in [r.prompt for r in service.world.provider.requests])
