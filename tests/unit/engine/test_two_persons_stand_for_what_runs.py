"""Under profile sox what runs in production was approved by another person than its authors, under exactly the run's policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.domain.errors import ApprovalDigestMismatchError, PermissionDeniedError, WorkflowNotFoundError
from meshflow_grpc.domain.policy import Policy
from meshflow_grpc.domain.run import Principal, Run, RunRequest, RunStatus
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.governance.compliance_evidence import evaluate
from meshflow_grpc.governance.run_evidence import Finding, RunEvidence
from meshflow_grpc.kernel.pipeline import STAGE_NAMES
from tests.fakes.ids import SequentialIds
from tests.unit.engine.conftest import ALICE, World, make_world
from tests.unit.engine.gated import BOB, asked, decide, ended
from tests.unit.engine.test_controls_are_judged_by_the_ledger import findings, judged

if TYPE_CHECKING:
    from meshflow_grpc.domain.workflow import ApprovedChange

SOX = "name: report\nversion: '1'\nentry: writer\npolicy: {compliance: [sox]}\nnodes:\n  writer: {}\n"
GATED = SOX + "  out: {risk: external_io}\nedges: [writer -> out]\n"
PRODUCTION = RuntimeOptions(production=True)


async def registered(options: RuntimeOptions = PRODUCTION, yaml: str = SOX) -> World:
    """A server at which alice registered the workflow."""
    world = make_world(options=options)
    await world.runtime.commands.put_workflow.execute(ALICE, yaml)
    return world


async def approve(world: World, by: Principal = BOB, name: str = "report", **more: str) -> ApprovedChange:
    """Somebody's word for it."""
    return await world.runtime.commands.approve_workflow.execute(by, name, **more)


async def report_of(world: World, **fields: object) -> Run:
    """A run of the registered workflow."""
    return await world.run(workflow="report", **fields)


async def test_what_another_person_approved_runs_and_names_both() -> None:
    """In the first entry, and in the report."""
    world = await registered()
    change = await approve(world, comment="reviewed")
    run = await report_of(world)
    start = (await world.entries(run.run_id))[0].facts
    report = await judged(world, run)
    (told,) = [result for result in report.results if result.control.id == "sox.approved_changes"]

    assert run.status is RunStatus.COMPLETED
    assert (change.workflow_digest, change.policy_digest) == (start["workflow_digest"], start["policy_digest"])
    assert start["change"] == {
        "approve_time": change.create_time,
        "approver": "bob",
        "authors": ["alice"],
        "policy_digest": change.policy_digest,
    }
    assert (told.finding, "by alice, approved by bob" in told.evidence) == (Finding.PASS, True)


async def test_what_nobody_approved_takes_no_step_in_production() -> None:
    """The pre-flight says so, with the way to do it."""
    world = await registered()
    run = await report_of(world)
    check = await world.runtime.commands.check_run.execute(ALICE, RunRequest(task="x", workflow="report"))

    assert (run.status, run.blocked_by, world.provider.requests) == (RunStatus.BLOCKED, "compliance_profile", [])
    assert "have another person call ApproveWorkflow" in (run.reason or "")
    assert [(v.field, v.stage) for v in check.violations] == [("workflow", "compliance_profile")]
    assert "sox.approved_changes" in findings(await judged(world, run), Finding.PASS)


async def test_in_trials_it_runs_and_the_report_says_what_it_was() -> None:
    """Held is not claimed."""
    world = await registered(RuntimeOptions())
    run = await report_of(world)
    entries = await world.entries(run.run_id)

    assert run.status is RunStatus.COMPLETED
    assert findings(await judged(world, run), Finding.FAIL) == {"sox.approved_changes"}
    assert all("sox.approved_changes" not in entry.facts.get("controls", ()) for entry in entries)  # type: ignore[operator]


async def test_an_author_does_not_approve() -> None:
    """Nor one of a subgraph's."""
    world = await registered()
    with pytest.raises(PermissionDeniedError, match="two persons"):
        await approve(world, ALICE)
    whole = "name: whole\nentry: a\npolicy: {compliance: [sox]}\nnodes:\n  a: {kind: subgraph, workflow: part}\n"
    part = "name: part\nentry: writer\nnodes:\n  writer: {}\n"
    await world.runtime.commands.put_workflow.execute(ALICE, part)
    await world.runtime.commands.put_workflow.execute(BOB, whole)

    for author in (ALICE, BOB):
        with pytest.raises(PermissionDeniedError, match="two persons"):
            await approve(world, author, "whole")
    carol = Principal("carol", "acme", method="test")
    assert (await approve(world, carol, "whole")).authors == ("alice", "bob")
    assert (await world.run(workflow="whole")).status is RunStatus.COMPLETED


async def test_another_definition_or_policy_is_another_change() -> None:
    """A new version, a request's policy field, and an inline definition were approved by nobody."""
    world = await registered()
    await approve(world)
    inline = await world.run(workflow_yaml=SOX.replace("version: '1'", "version: '9'"))
    stretched = await report_of(world, policy={"budget_usd": 9.0})
    await world.runtime.commands.put_workflow.execute(ALICE, SOX.replace("version: '1'", "version: '2'"))

    assert {run.blocked_by for run in (inline, stretched, await report_of(world))} == {"compliance_profile"}
    assert (await world.run(workflow="report@1")).status is RunStatus.COMPLETED


async def test_a_change_of_the_servers_policy_needs_another_approval() -> None:
    """The approval is of the policy too."""
    world = await registered()
    await approve(world)
    other = RuntimeOptions(production=True, default_policy=Policy(budget_usd=50.0))
    changed = make_world(storage=world.storage, options=other, ids=SequentialIds(100))

    assert (await report_of(changed)).blocked_by == "compliance_profile"
    await approve(changed)
    assert (await report_of(changed)).status is RunStatus.COMPLETED


async def test_only_what_was_reviewed_is_approved() -> None:
    """By its digest; the first approval stays, and an unknown workflow is none."""
    world = await registered()
    with pytest.raises(ApprovalDigestMismatchError):
        await approve(world, expected_digest="0" * 64)
    first = await approve(world)

    assert await approve(world, Principal("carol", "acme"), expected_digest=first.workflow_digest) == first
    with pytest.raises(WorkflowNotFoundError):
        await approve(world, name="reports")


async def test_the_approval_holds_across_pauses_and_forks() -> None:
    """It is read from the first entry."""
    world = await registered(yaml=GATED)
    await approve(world)
    run = await report_of(world)
    await decide(world, asked(run), "approve")
    done = await ended(world, run.run_id)
    fork = await world.runtime.commands.fork_run.execute(ALICE, run.run_id, ForkPoint(before_node="writer"))

    assert done.status is RunStatus.COMPLETED
    assert (await ended(world, fork.run_id)).status is RunStatus.PAUSED


async def test_a_run_that_nobody_approved_does_not_go_on_in_production() -> None:
    """It began in trials, and waited."""
    world = await registered(RuntimeOptions(), GATED)
    run = await report_of(world)
    strict = make_world(world.provider, world.storage, PRODUCTION, ids=SequentialIds(100))
    await decide(strict, asked(run), "approve")

    assert (await ended(strict, run.run_id)).blocked_by == "compliance_profile"


async def test_a_peers_run_has_the_calling_nodes_policy() -> None:
    """There the workflow's approval counts under any policy."""
    world = await registered()
    await approve(world)
    node = Principal("node:build.ai", "acme", method="node")
    request = RunRequest(task="t", workflow="report", policy={"budget_usd": 0.25})
    asked_by_node = await world.runtime.commands.run.execute(node, request)

    assert asked_by_node.status is RunStatus.COMPLETED
    assert (await world.runtime.commands.run.execute(ALICE, request)).blocked_by == "compliance_profile"


async def test_an_authors_own_approval_fails_the_control() -> None:
    """Whoever wrote that entry."""
    world = await registered()
    await approve(world)
    run = await report_of(world)
    entries = list(await world.entries(run.run_id))
    change = {"approve_time": "t", "approver": "alice", "authors": ["alice"], "policy_digest": "p"}
    entries[0] = entries[0]._replace(facts={**entries[0].facts, "change": change})
    chain = (await judged(world, run)).chain
    failed = {r.control.id for r in evaluate("sox", RunEvidence(entries, chain, STAGE_NAMES)) if r.finding == "fail"}

    assert failed == {"sox.approved_changes"}
