"""Under profile hipaa nobody starts or decides a run with a proof of identity that is older than the server allows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.domain.errors import ReauthenticationRequiredError
from meshflow_grpc.domain.run import RunRequest, RunStatus
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.governance.compliance_evidence import evaluate
from meshflow_grpc.governance.reauthentication import Reauthentication
from meshflow_grpc.governance.run_evidence import Finding, RunEvidence
from meshflow_grpc.kernel.pipeline import STAGE_NAMES
from meshflow_grpc.system import SystemClock
from tests.unit.engine.conftest import ALICE, World, make_world
from tests.unit.engine.gated import BOB, PUBLISH, asked, decide, ended
from tests.unit.engine.test_controls_are_judged_by_the_ledger import findings, judged

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal, Run

HIPAA: dict[str, object] = {"compliance": ("hipaa",)}
OPTIONS = RuntimeOptions(reauthentication=Reauthentication(900))


def signed_in(who: Principal, ago_s: float) -> Principal:
    """Someone whose token says when they signed in."""
    return replace(who, auth_time=datetime.fromisoformat(SystemClock().now()).timestamp() - ago_s)


async def start(world: World, who: Principal, policy: dict[str, object] = HIPAA) -> Run:
    """A run that publishes, which a person has to approve."""
    request = RunRequest(task="tides", policy=policy, workflow_yaml=PUBLISH)
    return await world.runtime.commands.run.execute(who, request)


async def test_a_run_is_started_and_approved_by_who_signed_in_lately() -> None:
    """Both ages and the bound of the time are in the entries, and the report judges them."""
    world = make_world(options=OPTIONS)
    run = await start(world, signed_in(ALICE, 60))
    await decide(world, asked(run), "approve", signed_in(BOB, 120))
    done = await ended(world, run.run_id)
    report = await judged(world, done)

    assert "hipaa.logoff" in findings(report, Finding.PASS)
    (told,) = [result.evidence for result in report.results if result.control.id == "hipaa.logoff"]
    assert told.count("of 900 s") == 2


async def test_an_old_token_starts_nothing() -> None:
    """No run is there afterwards; the pre-flight says so too."""
    world = make_world(options=OPTIONS)
    old = signed_in(ALICE, 901.5)
    with pytest.raises(ReauthenticationRequiredError, match="at most 900 s; sign in again") as refused:
        await start(world, old)
    with pytest.raises(ReauthenticationRequiredError):
        await world.runtime.commands.check_run.execute(old, RunRequest(task="x", policy=HIPAA))

    assert refused.value.metadata["auth_age_max_s"] == "900"
    assert world.provider.requests == [] and not await world.storage.unfinished_runs()


async def test_an_old_token_forks_nothing() -> None:
    """A fork starts under its parent's profiles."""
    world = make_world(options=OPTIONS)
    run = await world.run(policy=HIPAA)
    point = ForkPoint(before_node="writer")
    with pytest.raises(ReauthenticationRequiredError):
        await world.runtime.commands.fork_run.execute(signed_in(ALICE, 1000), run.run_id, point)
    fork = await world.runtime.commands.fork_run.execute(signed_in(ALICE, 10), run.run_id, point)

    assert "hipaa.logoff" in findings(await judged(world, await ended(world, fork.run_id)), Finding.PASS)


async def test_a_paused_run_has_its_approver_sign_in_again() -> None:
    """The decision is refused, and taken with a new proof."""
    world = make_world(options=OPTIONS)
    run = await start(world, signed_in(ALICE, 60))
    with pytest.raises(ReauthenticationRequiredError):
        await decide(world, asked(run), "approve", signed_in(BOB, 3600))
    await decide(world, asked(run), "approve", signed_in(BOB, 5))

    assert (await ended(world, run.run_id)).status is RunStatus.COMPLETED


async def test_without_the_profile_an_old_token_is_good_until_it_expires() -> None:
    """Its age is recorded, and not held to anything."""
    world = make_world(options=OPTIONS)
    run = await world.runtime.commands.run.execute(signed_in(ALICE, 5000), RunRequest(task="tides"))
    (start_entry, *_) = await world.entries(run.run_id)

    actor = start_entry.facts["actor"]
    assert isinstance(actor, dict)
    assert actor.pop("auth_age_s") in range(5000, 5060)
    assert actor == {"principal": "alice", "auth": "test"}
    assert "hipaa.logoff" in findings(await judged(world, run, "hipaa"), Finding.NOT_EVIDENCED)


async def test_credentials_without_a_time_are_no_evidence() -> None:
    """An API key says nothing of when somebody signed in; the report does not claim it."""
    world = make_world(options=OPTIONS)
    run = await world.run(policy=HIPAA)
    report = await judged(world, run)

    (told,) = [result for result in report.results if result.control.id == "hipaa.logoff"]
    assert (told.finding, "(test)" in told.evidence) == (Finding.NOT_EVIDENCED, True)


async def test_entries_of_an_older_proof_fail_the_control() -> None:
    """Whoever recorded them."""
    world = make_world(options=OPTIONS)
    run = await world.runtime.commands.run.execute(signed_in(ALICE, 60), RunRequest(task="tides", policy=HIPAA))
    entries = list(await world.entries(run.run_id))
    aged = {"principal": "alice", "auth": "jwt", "auth_age_s": 901, "auth_age_max_s": 900}
    entries[0] = entries[0]._replace(facts={**entries[0].facts, "actor": aged})
    chain = (await judged(world, run)).chain
    (result,) = [
        r for r in evaluate("hipaa", RunEvidence(entries, chain, STAGE_NAMES)) if r.control.id == "hipaa.logoff"
    ]

    assert (result.finding, result.entries) == (Finding.FAIL, (1,))
