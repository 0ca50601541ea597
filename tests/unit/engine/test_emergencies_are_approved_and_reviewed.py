"""In an emergency somebody approves who may not: with the role, a fresh sign-in and a reason, and a second person reviews it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.commands.expire_runs import expire_run, judged_runs
from meshflow_grpc.domain.errors import (
    ApprovalAlreadyDecidedError,
    ApprovalDigestMismatchError,
    ApprovalNotFoundError,
    InvalidRequestError,
    PermissionDeniedError,
    ReauthenticationRequiredError,
    RunConflictError,
)
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.run import Principal, RunStatus
from meshflow_grpc.governance.compliance_evidence import evaluate
from meshflow_grpc.governance.emergency import EmergencyAccess, review_run_id
from meshflow_grpc.governance.run_evidence import Finding, RunEvidence
from meshflow_grpc.kernel.pipeline import STAGE_NAMES
from meshflow_grpc.system import SystemClock
from tests.unit.engine.conftest import ALICE, World, make_world
from tests.unit.engine.gated import BOB, PUBLISH, asked, calls, decide, ended, paused, verified
from tests.unit.engine.test_controls_are_judged_by_the_ledger import findings, judged
from tests.unit.engine.test_who_acts_has_signed_in_recently import signed_in

if TYPE_CHECKING:
    from meshflow_grpc.commands.compliance_report import ComplianceReport
    from meshflow_grpc.domain.approval import Approval
    from meshflow_grpc.domain.run import Run

HUMAN: dict[str, object] = {"enabled": True, "tier_threshold": RiskTier.EXTERNAL_IO, "approvers": ("dr-house",)}
POLICY: dict[str, object] = {"human_in_loop": HUMAN, "compliance": ("hipaa",)}
EVE = Principal("eve", "acme", frozenset({"approver", "emergency"}), method="jwt")
NIGHT = Principal("night", "acme", frozenset({"emergency"}), method="jwt")
OPTIONS = RuntimeOptions(emergency=EmergencyAccess(300))
WHY = "patient in shock, nobody of cardiology answers"


def control(report: ComplianceReport) -> tuple[Finding, str]:
    """What the report says of emergencies."""
    (found,) = [result for result in report.results if result.control.id == "hipaa.emergency_access"]
    return found.finding, found.evidence


async def broken(world: World, by: Principal = EVE) -> tuple[Run, Approval]:
    """A run that waited for dr-house, and was approved by somebody else."""
    run = await paused(world, policy=POLICY)
    approval = await decide(world, asked(run), "approve", signed_in(by, 10), comment=WHY, break_glass=True)
    return await ended(world, run.run_id), approval


async def test_an_emergency_is_approved_and_says_what_it_waived() -> None:
    """The step is executed once; who, why and which rules are in the entry."""
    world = make_world(options=OPTIONS)
    run, approval = await broken(world)
    (decided,) = [e for e in await world.entries(run.run_id) if e.kind is EntryKind.GATE_DECIDED]

    assert (run.status, calls(world, "publisher")) == (RunStatus.COMPLETED, 1)
    assert (approval.break_glass, approval.reviewer, approval.review_run_id) == (True, "eve", None)
    waived = decided.facts["break_glass"]
    assert isinstance(waived, dict)
    assert waived.pop("auth_age_s") in range(10, 60)
    assert waived == {"auth_age_max_s": 300, "waived": ["approvers"]}
    assert WHY in (decided.output or "")


async def test_without_a_review_the_control_fails_and_a_confirmed_one_passes() -> None:
    """The review is a run of its own, that verifies, names the entry by its hash, and is as immutable as the run."""
    world = make_world(options=OPTIONS)
    run, approval = await broken(world)
    before = await judged(world, run)
    reviewed = await decide(world, approval.approval_id, "confirm", BOB, comment="seen by the board")
    after = await judged(world, run)
    record = await world.storage.get_run("acme", review_run_id(approval.approval_id))
    start = (await world.entries(record.run_id))[0]
    (decided,) = [e for e in await world.entries(run.run_id) if e.kind is EntryKind.GATE_DECIDED]

    assert control(before)[0] is Finding.FAIL
    assert "eve waived approvers; nobody has reviewed it" in control(before)[1]
    assert control(after)[0] is Finding.PASS
    assert "bob reviewed it: confirm" in control(after)[1]
    assert reviewed.review_run_id == record.run_id
    assert (record.status, record.policy["immutable_audit"], await verified(world, record.run_id)) == (
        RunStatus.COMPLETED,
        True,
        True,
    )
    assert start.facts["reviews"]["hash"] == decided.hash  # type: ignore[index, call-overload]


async def test_a_disputed_emergency_fails_the_control() -> None:
    """And stays so: the first review counts."""
    world = make_world(options=OPTIONS)
    run, approval = await broken(world)
    await decide(world, approval.approval_id, "dispute", BOB, comment="there was time to call")
    again = await decide(world, approval.approval_id, "dispute", BOB, comment="there was time to call")
    with pytest.raises(ApprovalAlreadyDecidedError, match="bob has reviewed it: dispute"):
        await decide(world, approval.approval_id, "confirm", BOB, comment="after all")

    assert again.review_run_id == review_run_id(approval.approval_id)
    assert control(await judged(world, run))[0] is Finding.FAIL


async def test_who_broke_the_glass_does_not_review_it() -> None:
    """Nor does somebody who has that role alone; a reason is asked for."""
    world = make_world(options=OPTIONS)
    _, approval = await broken(world)
    for reviewer in (signed_in(EVE, 5), signed_in(NIGHT, 5)):
        with pytest.raises(PermissionDeniedError, match="another person"):
            await decide(world, approval.approval_id, "confirm", reviewer, comment="fine")
    with pytest.raises(InvalidRequestError, match="comment"):
        await decide(world, approval.approval_id, "confirm", BOB)


async def test_only_emergencies_are_reviewed() -> None:
    """Not what was approved as the policy says, nor what still waits."""
    world = make_world(options=OPTIONS)
    run = await paused(world)
    for _ in range(2):
        with pytest.raises(RunConflictError, match="it was no emergency"):
            await decide(world, asked(run), "confirm", EVE, comment="fine")
        await decide(world, asked(run), "approve", BOB)


@pytest.mark.parametrize(
    ("by", "ago_s", "error", "told"),
    [
        (BOB, 5, PermissionDeniedError, "needs the role emergency"),
        (EVE, 400, ReauthenticationRequiredError, r"sign-in of the last 300 s, and it was 40\d s ago"),
        (EVE, None, ReauthenticationRequiredError, "the credential does not say when"),
    ],
)
async def test_the_role_and_a_fresh_sign_in_are_needed(
    by: Principal, ago_s: int | None, error: type[Exception], told: str
) -> None:
    """An API key is no emergency: nobody knows how long its holder has had it."""
    world = make_world(options=OPTIONS)
    run = await paused(world, policy=POLICY)
    with pytest.raises(error, match=told):
        who = by if ago_s is None else signed_in(by, ago_s)
        await decide(world, asked(run), "approve", who, comment=WHY, break_glass=True)

    assert calls(world, "publisher") == 0


async def test_a_reason_and_something_to_waive_are_needed() -> None:
    """And it is for approving alone."""
    world = make_world(options=OPTIONS)
    eve = signed_in(EVE, 5)
    run = await paused(world, policy=POLICY)
    with pytest.raises(InvalidRequestError, match="comment: must say what the emergency is"):
        await decide(world, asked(run), "approve", eve, break_glass=True)
    with pytest.raises(InvalidRequestError, match="break_glass: is for approving"):
        await decide(world, asked(run), "reject", eve, comment=WHY, break_glass=True)
    with pytest.raises(InvalidRequestError, match="break_glass: is for approving, not for reviewing"):
        await decide(world, asked(run), "confirm", eve, comment=WHY, break_glass=True)
    free = await paused(world)
    with pytest.raises(InvalidRequestError, match="is not needed"):
        await decide(world, asked(free), "approve", eve, comment=WHY, break_glass=True)


async def test_the_emergency_role_alone_decides_nothing_else() -> None:
    """Without breaking the glass it neither approves nor rejects."""
    world = make_world(options=OPTIONS)
    run = await paused(world)
    night = signed_in(NIGHT, 5)
    for decision in ("approve", "reject"):
        with pytest.raises(PermissionDeniedError, match="approves with break_glass, and does nothing else"):
            await decide(world, asked(run), decision, night)
    approval = await decide(world, asked(run), "approve", night, comment=WHY, break_glass=True)
    (decided,) = [e for e in await world.entries(run.run_id) if e.kind is EntryKind.GATE_DECIDED]

    assert approval.break_glass
    assert decided.facts["break_glass"]["waived"] == ["role"]  # type: ignore[index, call-overload]


async def test_an_emergency_opens_nothing_but_the_gate() -> None:
    """Another action than the one that waits, a stage that denies, and a run of another tenant stay shut."""
    world = make_world(options=OPTIONS)
    run = await paused(world, PUBLISH.replace("external_io", "external_io, output_schema: {type: object}"), POLICY)
    eve = signed_in(EVE, 5)
    with pytest.raises(ApprovalDigestMismatchError):
        await decide(world, asked(run), "approve", eve, comment=WHY, break_glass=True, expected_action_digest="0" * 64)
    with pytest.raises(ApprovalNotFoundError):
        await decide(world, asked(run), "approve", replace(eve, tenant_id="rival"), comment=WHY, break_glass=True)
    await decide(world, asked(run), "approve", eve, comment=WHY, break_glass=True)
    done = await ended(world, run.run_id)

    assert (done.status, done.blocked_by) == (RunStatus.BLOCKED, "output_guardrails")


async def test_a_review_of_another_entry_or_by_the_same_person_confirms_nothing() -> None:
    """Whoever recorded it."""
    world = make_world(options=OPTIONS)
    run, approval = await broken(world)
    entries, chain = await world.entries(run.run_id), (await judged(world, run)).chain
    (decided,) = [e for e in entries if e.kind is EntryKind.GATE_DECIDED]
    good = {"finding": "confirm", "hash": decided.hash, "reviewer": "bob"}

    for said, expected in ((good, "pass"), ({**good, "hash": "0"}, "fail"), ({**good, "reviewer": "eve"}, "fail")):
        evidence = RunEvidence(entries, chain, STAGE_NAMES, reviews={approval.approval_id: said})
        (result,) = [r for r in evaluate("hipaa", evidence) if r.control.id == "hipaa.emergency_access"]
        assert result.finding == expected


async def test_a_requester_may_break_the_glass_and_the_separation_fails(world: World) -> None:
    """The report hides nothing: the requester did approve."""
    run = await paused(world, policy={"compliance": ("sox",)})
    alice = replace(signed_in(ALICE, 5), roles=frozenset({"approver", "emergency"}))
    await decide(world, asked(run), "approve", alice, comment=WHY, break_glass=True)

    assert "sox.separation_of_duties" in findings(await judged(world, await ended(world, run.run_id)), Finding.FAIL)


async def test_what_a_review_says_goes_when_the_runs_payloads_go() -> None:
    """Its start has the run's days, and what collects them finds it."""
    world = make_world(options=replace(OPTIONS, payload_days=30))
    _, approval = await broken(world)
    await decide(world, approval.approval_id, "confirm", BOB, comment="seen")
    record = review_run_id(approval.approval_id)
    due = {v.run.run_id: v async for v in judged_runs(world.storage, "acme", None, "2199-01-01T00:00:00.000Z")}
    await expire_run(world.storage, SystemClock(), due[record], "cron")
    (start, _, erasure) = await world.entries(record)

    assert (due[record].erase, due[approval.run_id].erase) == (True, True)
    assert (start.facts["payload_days"], start.output, erasure.kind) == (30, None, EntryKind.ERASURE)
