"""A run's start says how long its payloads are kept after its end, and the report judges whether that was kept."""

from __future__ import annotations

import pytest

from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.commands.erase_run import EraseRunCommand
from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.governance.run_evidence import Finding
from meshflow_grpc.system import SystemClock
from tests.unit.engine.conftest import ALICE, World, make_world
from tests.unit.engine.gated import ended
from tests.unit.engine.test_controls_are_judged_by_the_ledger import findings, judged

GDPR: dict[str, object] = {"compliance": ("gdpr",)}
PURPOSE = {"purpose": "planning"}
LATER = "2199-01-01T00:00:00.000Z"


async def days_of(world: World, **labels: str) -> object:
    """What a run's first entry says."""
    run = await world.run(labels={**PURPOSE, **labels})
    return (await world.entries(run.run_id))[0].facts.get("payload_days")


async def test_the_shorter_of_server_and_request_holds() -> None:
    """A request cannot lengthen the server's time; without either nothing is said."""
    bounded, free = make_world(options=RuntimeOptions(payload_days=90)), make_world()

    assert [await days_of(bounded), await days_of(bounded, payload_days="7")] == [90, 7]
    assert [await days_of(bounded, payload_days="900"), await days_of(free, payload_days="7")] == [90, 7]
    assert await days_of(free) is None


@pytest.mark.parametrize("text", ["", "0", "-3", "1.5", "soon", "36526", "٣"])
async def test_a_label_that_is_no_number_of_days_is_refused(world: World, text: str) -> None:
    """By its name."""
    with pytest.raises(InvalidRequestError, match=r"labels\.payload_days"):
        await world.run(labels={"payload_days": text})


async def test_payloads_past_their_time_fail_the_control_until_they_are_gone() -> None:
    """Before it they pass; the erasure is the evidence afterwards."""
    world = make_world(options=RuntimeOptions(payload_days=30))
    run = await world.run(policy=GDPR, labels=PURPOSE)
    now = SystemClock().now()
    assert "gdpr.storage_limit" in findings(await judged(world, run, now=now), Finding.PASS)
    late = await judged(world, run, now=LATER)
    (told,) = [result for result in late.results if result.control.id == "gdpr.storage_limit"]

    assert (told.finding, told.entries) == (Finding.FAIL, (run.entries,))
    await EraseRunCommand(world.storage, SystemClock()).execute(ALICE, run.run_id, basis="retention")
    assert "gdpr.storage_limit" in findings(await judged(world, run, now=LATER), Finding.PASS)


async def test_a_legal_hold_is_a_reason_to_keep_them() -> None:
    """The report names it."""
    world = make_world(options=RuntimeOptions(payload_days=30))
    run = await world.run(policy=GDPR, labels={**PURPOSE, "legal_hold": "case 7"})
    report = await judged(world, run, now=LATER)
    (told,) = [result for result in report.results if result.control.id == "gdpr.storage_limit"]

    assert (told.finding, "case 7" in told.evidence) == (Finding.PASS, True)


async def test_without_an_end_nothing_is_evidenced(world: World) -> None:
    """Nor failed."""
    run = await world.run(policy=GDPR, labels=PURPOSE)

    assert "gdpr.storage_limit" in findings(await judged(world, run, now=LATER), Finding.NOT_EVIDENCED)


async def test_a_fork_has_its_parents_days() -> None:
    """Counted from its own end."""
    world = make_world(options=RuntimeOptions(payload_days=30))
    run = await world.run()
    fork = await world.runtime.commands.fork_run.execute(ALICE, run.run_id, ForkPoint(before_node="writer"))
    await ended(world, fork.run_id)

    assert (await world.entries(fork.run_id))[0].facts["payload_days"] == 30
