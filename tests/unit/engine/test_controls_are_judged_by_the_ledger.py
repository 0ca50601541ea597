"""The compliance report: real runs, judged by nothing but their entries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc import ReplayLedger, StepRecord
from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.commands.compliance_report import ComplianceReport, compliance_report
from meshflow_grpc.domain.check import ChainFault
from meshflow_grpc.domain.errors import InvalidRequestError, RunNotFoundError
from meshflow_grpc.domain.run import Principal, RunRequest
from meshflow_grpc.governance.compliance_evidence import evaluate
from meshflow_grpc.governance.run_evidence import Finding, RunEvidence
from meshflow_grpc.kernel.pipeline import STAGE_NAMES
from meshflow_grpc.storage.factory import open_storage
from tests.unit.engine.conftest import World, make_world
from tests.unit.engine.gated import PUBLISH, asked, decide, ended, paused

if TYPE_CHECKING:
    from pathlib import Path

    from meshflow_grpc.domain.run import Run

PATIENT = "Summarise: patient John Smith, MRN: 48291734, was admitted."
PURPOSE = {"purpose": "coastal planning"}
# In trials what nobody approved runs, and the report says so.
UNAPPROVED = "sox.approved_changes"


async def judged(world: World, run: Run, *profiles: str, now: str = "2026-01-01T00:00:00.000Z") -> ComplianceReport:
    """The report of a run."""
    return await compliance_report(world.storage, "acme", run.run_id, profiles, now=now)


def findings(report: ComplianceReport, finding: Finding) -> set[str]:
    """Ids of the controls with a finding."""
    return {result.control.id for result in report.results if result.finding is finding}


async def test_a_run_under_a_profile_passes_what_the_kernel_holds(world: World) -> None:
    """What no entry can show is said to be so; nothing fails."""
    run = await world.run(task=PATIENT, policy={"compliance": ("hipaa",)})
    report = await judged(world, run)

    assert (report.profiles, report.failed, report.chain.valid) == (("hipaa",), False, True)
    passed = {"profile", "identity", "guardian", "minimum_necessary", "oversight", "audit", "integrity", "retention"}
    assert findings(report, Finding.PASS) == {f"hipaa.{name}" for name in passed}
    assert "hipaa.encryption" in findings(report, Finding.NOT_EVIDENCED)
    masking = next(r for r in report.results if r.control.id == "hipaa.minimum_necessary")
    assert "medical_record_number x" in masking.evidence


async def test_a_run_recorded_by_hand_passes_nothing_that_stages_do(tmp_path: Path) -> None:
    """No stage saw its steps; what the ledger itself keeps is judged as ever."""
    url = str(tmp_path / "ledger.db")
    async with ReplayLedger(url, tenant_id="acme") as ledger:
        await ledger.write(StepRecord("run_1", "nurse", output=PATIENT))
        await ledger.finish_run("run_1")
    storage = await open_storage(url, read_only=True)
    report = await compliance_report(storage, "acme", "run_1", ("hipaa", "sox", "gdpr"), now="2026-01-01T00:00:00.000Z")
    await storage.close()

    assert findings(report, Finding.PASS) == {f"{name}.integrity" for name in report.profiles}
    assert findings(report, Finding.FAIL) == set()


async def test_encryption_is_evidenced_where_the_server_encrypts() -> None:
    """The control is in every step's entry then."""
    world = make_world(options=RuntimeOptions(payloads_encrypted=True))
    run = await world.run(policy={"compliance": ("hipaa",)})

    assert "hipaa.encryption" in findings(await judged(world, run), Finding.PASS)


async def test_transmission_is_evidenced_where_the_server_speaks_tls_alone() -> None:
    """Without, the proof is elsewhere, and the report does not claim it."""
    for speaks_tls, expected in ((True, Finding.PASS), (False, Finding.NOT_EVIDENCED)):
        world = make_world(options=RuntimeOptions(transport_encrypted=speaks_tls))
        run = await world.run(policy={"compliance": ("hipaa",)})

        assert "hipaa.transmission" in findings(await judged(world, run), expected)


async def test_a_run_that_was_held_to_nothing_fails(world: World) -> None:
    """Unmasked health data, no guardian, no profile: each named with the entries that show it."""
    run = await world.run(task=PATIENT, policy={"enable_guardian": False})
    report = await judged(world, run, "hipaa", "gdpr")

    assert report.failed
    expected = {"hipaa.profile", "hipaa.guardian", "hipaa.minimum_necessary", "gdpr.purpose", "gdpr.minimisation"}
    assert expected <= findings(report, Finding.FAIL)
    assert all(result.entries for result in report.results if result.finding is Finding.FAIL)


async def test_an_anonymous_caller_is_no_identity(world: World) -> None:
    """Allowed in trials; the report says what it was."""
    request = RunRequest(task="tides", policy={"compliance": ("sox",)})
    run = await world.runtime.commands.run.execute(Principal("anonymous", "acme"), request)

    assert findings(await judged(world, run), Finding.FAIL) == {"sox.identity", UNAPPROVED}


async def test_an_action_that_a_colleague_approved_passes_sox(world: World) -> None:
    """The report counts the approval, and that it was another's."""
    run = await paused(world, policy={"compliance": ("sox",)})
    await decide(world, asked(run), "approve")
    report = await judged(world, await ended(world, run.run_id))

    assert findings(report, Finding.FAIL) == {UNAPPROVED}
    told = {r.control.id: r.evidence for r in report.results}
    assert told["sox.separation_of_duties"].startswith("1 approvals")
    assert told["sox.oversight"].startswith("1 steps")


async def test_an_action_nobody_approved_fails_the_oversight(world: World) -> None:
    """The entry of the step is named."""
    run = await world.run(workflow_yaml=PUBLISH)
    report = await judged(world, run, "sox")
    (oversight,) = [r for r in report.results if r.control.id == "sox.oversight"]
    (publisher,) = [e for e in await world.entries(run.run_id) if e.node_id == "publisher" and "stages" in e.facts]

    assert oversight.finding is Finding.FAIL
    assert oversight.entries == (publisher.sequence,)


async def test_the_requesters_own_approval_fails_the_separation(world: World) -> None:
    """Where no profile forbade it."""
    run = await paused(world)
    entries = await world.entries(run.run_id)
    await decide(world, asked(run), "approve")
    await ended(world, run.run_id)
    entries = await world.entries(run.run_id)
    own = [e._replace(facts={**e.facts, "reviewer": "alice"}) if e.kind.value == "gate_decided" else e for e in entries]
    chain = (await judged(world, run, "sox")).chain
    results = evaluate("sox", RunEvidence(own, chain, STAGE_NAMES))

    assert [r.finding for r in results if r.control.id == "sox.separation_of_duties"] == [Finding.FAIL]


async def test_gdpr_names_purpose_and_erasures(world: World) -> None:
    """An erasure that nobody asked for is not evidenced, not failed."""
    run = await world.run(policy={"compliance": ("gdpr",)}, labels=PURPOSE)
    report = await judged(world, run)

    assert not report.failed
    assert "gdpr.purpose" in findings(report, Finding.PASS)
    assert "gdpr.erasure" in findings(report, Finding.NOT_EVIDENCED)


async def test_a_changed_policy_or_a_missing_decision_is_found(world: World) -> None:
    """Step by step."""
    run = await world.run(policy={"compliance": ("sox",)})
    entries = list(await world.entries(run.run_id))
    chain = (await judged(world, run)).chain
    place = next(i for i, e in enumerate(entries) if "stages" in e.facts)
    stages = entries[place].facts["stages"]
    assert isinstance(stages, list)
    entries[place] = entries[place]._replace(
        facts={**entries[place].facts, "policy_digest": "x", "stages": [*stages[:12], stages[13]]}
    )
    failed = {r.control.id for r in evaluate("sox", RunEvidence(entries, chain, STAGE_NAMES)) if r.finding == "fail"}

    assert failed == {"sox.change_control", "sox.audit", UNAPPROVED}


async def test_a_chain_that_does_not_verify_proves_nothing(world: World) -> None:
    """Only the integrity is judged: it fails."""
    run = await world.run(policy={"compliance": ("hipaa",)})
    chain = (await judged(world, run)).chain
    broken = replace(chain, faults=(ChainFault(2, 2, "writer", "hash: changed"),))
    results = evaluate("hipaa", RunEvidence(await world.entries(run.run_id), broken, STAGE_NAMES))

    assert {r.finding for r in results} == {Finding.FAIL, Finding.NOT_EVIDENCED}
    assert [r.control.id for r in results if r.finding is Finding.FAIL] == ["hipaa.integrity"]


async def test_a_run_without_profile_needs_one_named_and_an_unknown_run_is_none(world: World) -> None:
    """Typed errors."""
    run = await world.run()
    with pytest.raises(InvalidRequestError, match="profile"):
        await judged(world, run)
    with pytest.raises(RunNotFoundError):
        await compliance_report(world.storage, "acme", "run_x", ("sox",), now="2026-01-01T00:00:00.000Z")
