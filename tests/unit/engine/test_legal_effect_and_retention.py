"""What has legal effect is decided by a person after an assessment; records are kept as profiles demand; holds forbid erasure."""

from __future__ import annotations

import pytest

from meshflow_grpc.domain.errors import PermissionDeniedError
from meshflow_grpc.domain.run import RunRequest, RunStatus
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.governance.record_keeping import retention_tag
from meshflow_grpc.governance.retention import retention_of
from meshflow_grpc.governance.run_evidence import Finding
from meshflow_grpc.workflow.reachability import ends_with_a_person
from meshflow_grpc.workflow.yaml_codec import load_workflow
from tests.unit.engine.conftest import ALICE, World, make_world
from tests.unit.engine.gated import asked, decide, ended
from tests.unit.engine.test_controls_are_judged_by_the_ledger import findings, judged

GDPR: dict[str, object] = {"compliance": ("gdpr",)}
DECISION = (
    "name: d\nentry: writer\nnodes:\n  writer: {}\n  ok: {kind: human, prompt: Grant it?}\nedges: [writer -> ok]\n"
)
LABELS = {"purpose": "credit", "legal_effect": "yes", "dpia": "DPIA-7"}


async def test_agents_alone_decide_nothing_of_legal_effect(world: World) -> None:
    """Refused before the first step executes, with the way to do it."""
    run = await world.run(policy=GDPR, labels=LABELS)
    check = await world.runtime.commands.check_run.execute(ALICE, RunRequest(task="x", policy=GDPR, labels=LABELS))

    assert (run.status, run.blocked_by, world.provider.requests) == (RunStatus.BLOCKED, "compliance_profile", [])
    assert "put a node of kind human on every way to the end" in (run.reason or "")
    assert [(v.field, v.stage) for v in check.violations] == [("workflow", "compliance_profile")]


async def test_an_assessment_has_to_be_named(world: World) -> None:
    """Its id stands in the labels, and so in the ledger."""
    run = await world.run(policy=GDPR, labels={**LABELS, "dpia": " "}, workflow_yaml=DECISION)

    assert (run.status, run.blocked_by) == (RunStatus.BLOCKED, "compliance_profile")
    assert "name the assessment in labels.dpia" in (run.reason or "")


async def test_a_person_decides_and_the_report_shows_it(world: World) -> None:
    """Also across the pause."""
    run = await world.run(policy=GDPR, labels=LABELS, workflow_yaml=DECISION)
    await decide(world, asked(run), "approve")
    done = await ended(world, run.run_id)

    assert done.status is RunStatus.COMPLETED
    assert {"gdpr.legal_effect", "gdpr.dpia"} <= findings(await judged(world, done), Finding.PASS)


async def test_a_run_that_decided_without_a_person_fails_the_control(world: World) -> None:
    """Judged under the profile afterwards: it was not held to it."""
    run = await world.run(labels={"legal_effect": "yes"})
    report = await judged(world, run, "gdpr")

    assert {"gdpr.legal_effect", "gdpr.dpia"} <= findings(report, Finding.FAIL)


async def test_no_legal_effect_is_a_statement_and_silence_is_none(world: World) -> None:
    """Only what was declared is evidence."""
    purpose = {"purpose": "planning"}
    declared = await world.run(policy=GDPR, labels={**purpose, "legal_effect": "No"})
    silent = await world.run(policy=GDPR, labels=purpose)

    assert "gdpr.legal_effect" in findings(await judged(world, declared), Finding.PASS)
    assert {"gdpr.legal_effect", "gdpr.dpia"} <= findings(await judged(world, silent), Finding.NOT_EVIDENCED)


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ("[a -> h, h -> END]", True),
        ("[a -> h]", True),
        ("[a -> h, h -> b]", True),
        ("[a -> END]", False),
        ("[a -> h, a -> b]", False),
        ("[a -> b, b -> h]", True),
    ],
)
def test_every_way_to_the_end_counts(edges: str, expected: bool) -> None:
    """What follows the person carries out the decision; a person on another branch decides nothing."""
    nodes = {name for name in "abh" if f"{name} " in edges or f"> {name}" in edges}
    kinds = "".join(f"  {name}: {{kind: {'human' if name == 'h' else 'agent'}}}\n" for name in sorted(nodes))
    workflow = load_workflow(f"name: w\nentry: a\nnodes:\n{kinds}edges: {edges}\n")

    assert ends_with_a_person(workflow) is expected


@pytest.mark.parametrize(
    ("profiles", "until"), [(("hipaa",), "2030-03-01"), (("gdpr", "hipaa", "sox"), "2031-03-01"), (("gdpr",), None)]
)
def test_the_longest_demand_counts(profiles: tuple[str, ...], until: str | None) -> None:
    """Six and seven years, leap days included."""
    kept = retention_tag(profiles, "2024-02-29T10:00:00.000Z")

    assert (kept or {}).get("until") == until


async def test_retention_is_evidenced_where_it_is_demanded(world: World) -> None:
    """A run that no profile held says nothing of it."""
    held = await world.run(policy={"compliance": ("sox", "hipaa")})
    free = await world.run()

    assert {"sox.retention", "hipaa.retention"} <= findings(await judged(world, held), Finding.PASS)
    assert "sox.retention" in findings(await judged(world, free, "sox"), Finding.NOT_EVIDENCED)


async def test_a_fork_is_kept_from_its_own_start(world: World) -> None:
    """As long as its parent demanded, counted anew."""
    held = await world.run(policy={"compliance": ("sox",)})
    fork = await world.runtime.commands.fork_run.execute(ALICE, held.run_id, ForkPoint(before_node="writer"))
    start = (await world.entries(fork.run_id))[0]
    await ended(world, fork.run_id)

    assert start.facts["retention"] == {**(retention_tag(("sox",), fork.create_time) or {}), "immutable": True}


async def test_a_legal_hold_forbids_erasure() -> None:
    """It says which hold; without one the same run is erased."""
    world = make_world()
    held = await world.run(labels={"legal_hold": "case 12/2031"})
    free = await world.run(labels={"legal_hold": " "})
    erase = world.runtime.commands.erase_run

    with pytest.raises(PermissionDeniedError, match="case 12/2031"):
        await erase.execute(ALICE, held.run_id, basis="gdpr art. 17")
    assert (await world.entries(held.run_id))[0].input is not None
    assert (await erase.execute(ALICE, free.run_id, basis="gdpr art. 17")).payloads > 0


async def test_the_sweep_leaves_what_is_held(world: World) -> None:
    """However old it is."""
    held = await world.run(labels={"legal_hold": "case 12/2031"})
    free = await world.run()

    verdicts = [retention_of(run, 183, "2999-01-01T00:00:00.000Z") for run in (held, free)]
    assert [verdict.delete for verdict in verdicts] == [False, True]
    assert "case 12/2031" in verdicts[0].why
