"""The default workflow, from request to verified evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.kernel.pipeline import STAGE_NAMES
from tests.unit.engine.conftest import ALICE, World

if TYPE_CHECKING:
    from collections.abc import Mapping


async def test_researcher_then_writer_then_done(world: World) -> None:
    """The writer works on what the researcher found, and its output is the run's."""
    run = await world.run("why tides exist")

    assert run.status is RunStatus.COMPLETED
    assert run.output == "writer done"
    assert [r.agent_id for r in world.provider.requests] == ["researcher", "writer"]
    assert "why tides exist" in world.provider.requests[0].prompt
    assert "researcher done" in world.provider.requests[1].prompt


async def test_ledger_entries_of_the_answer_are_the_rows_that_exist(world: World) -> None:
    """The count in the answer equals the rows, and the head is the last row's hash."""
    run = await world.run()
    entries = await world.entries(run.run_id)

    assert run.entries == len(entries) == 4
    assert run.head_hash == entries[-1].hash
    assert [e.kind for e in entries] == [
        EntryKind.RUN_STARTED,
        EntryKind.STEP_COMMITTED,
        EntryKind.STEP_COMMITTED,
        EntryKind.RUN_FINISHED,
    ]


async def test_every_step_entry_names_all_fifteen_stages_in_order(world: World) -> None:
    """No step is recorded without its fifteen decisions."""
    run = await world.run()

    for entry in await world.entries(run.run_id):
        if entry.kind is EntryKind.STEP_COMMITTED:
            stages: list[Mapping[str, str]] = entry.facts["stages"]  # type: ignore[assignment]
            assert tuple(s["stage"] for s in stages) == STAGE_NAMES


async def test_the_answer_equals_what_get_run_says_later(world: World) -> None:
    """The run given to the caller and the one read from the store are one and the same."""
    run = await world.run(labels={"team": "red"}, session_id="s1")

    assert await world.runtime.commands.get_run.execute(ALICE, run.run_id) == run


async def test_the_chain_of_a_run_verifies(world: World) -> None:
    """Verification of a finished run finds nothing wrong and checks every payload."""
    run = await world.run()
    verification = await world.runtime.commands.verify_run.execute(ALICE, run.run_id)

    assert verification
    assert verification.entries_checked == run.entries
    assert verification.payloads_erased == 0


async def test_totals_of_the_run_are_the_sums_of_its_steps(world: World) -> None:
    """Cost and tokens add up exactly."""
    run = await world.run()
    steps = [e for e in await world.entries(run.run_id) if e.kind is EntryKind.STEP_COMMITTED]

    assert run.usage.cost_nano_usd == sum(int(e.facts["cost_nano_usd"]) for e in steps)  # type: ignore[arg-type]
    assert run.usage.tokens == sum(sum(e.facts["tokens"].values()) for e in steps)  # type: ignore[union-attr]
