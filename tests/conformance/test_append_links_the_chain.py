"""Appends of every store: linked by the store, together or not at all, never twice."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.errors import (
    EntryAlreadyRecordedError,
    InvalidRequestError,
    LedgerUnavailableError,
    RunConflictError,
    RunNotFoundError,
)
from meshflow_grpc.domain.ledger_entry import GENESIS_HASH, EntryDraft, EntryKind
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.ledger.canonical import NotCanonicalError
from meshflow_grpc.ports.storage import RunChange
from tests.conformance.drafts import ENDED, STEP_USAGE, TENANT, create, finished, step, time_of, verified, whole_run

if TYPE_CHECKING:
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.ports.storage import Storage


async def test_the_store_links_the_chain_itself(storage: Storage) -> None:
    """MUST link the chain itself inside the transaction: no caller ever holds prev_hash."""
    created = await create(storage, "run_1")
    appended = await storage.append("run_1", (step("run_1", 1), step("run_1", 2)))
    assert created.entry is not None
    chain = (created.entry, *appended)
    assert [entry.sequence for entry in chain] == [1, 2, 3]
    assert [entry.prev_hash for entry in chain] == [GENESIS_HASH, chain[0].hash, chain[1].hash]
    assert await storage.entries(TENANT, "run_1") == chain


async def test_entries_and_change_commit_together(storage: Storage) -> None:
    """MUST commit an append's entries and its RunChange together or not at all."""
    await create(storage, "run_1")
    await storage.append("run_1", (step("run_1", 1),), RunChange(usage=STEP_USAGE))
    before = await storage.get_run(TENANT, "run_1")
    assert (before.usage, before.entries, before.update_time) == (STEP_USAGE, 2, time_of(1))
    with pytest.raises(EntryAlreadyRecordedError):
        await storage.append("run_1", (step("run_1", 2), step("run_1", 1)), RunChange(usage=STEP_USAGE))
    assert await storage.get_run(TENANT, "run_1") == before
    assert len(await storage.entries(TENANT, "run_1")) == 2


async def test_a_failing_append_does_not_harm_its_neighbours(storage: Storage) -> None:
    """MUST serve concurrent appends of many runs in shared transactions, without a failing append harming its neighbours."""
    for place in range(20):
        await create(storage, f"run_{place:02}")
    await storage.append("run_07", (step("run_07", 1),))
    await storage.append("run_08", (finished("run_08"),), ENDED)
    answers = await asyncio.gather(
        *(storage.append(f"run_{place:02}", (step(f"run_{place:02}", 1),)) for place in range(20)),
        storage.append("run_xx", (step("run_xx", 1),)),
        return_exceptions=True,
    )
    refused = {place: type(answer) for place, answer in enumerate(answers) if isinstance(answer, BaseException)}
    assert refused == {7: EntryAlreadyRecordedError, 8: RunConflictError, 20: RunNotFoundError}
    for place in range(20):
        assert await verified(storage, f"run_{place:02}")


async def test_a_repeated_entry_is_refused(storage: Storage) -> None:
    """MUST refuse an entry whose (run_id, step_id, attempt, kind) exists: EntryAlreadyRecordedError."""
    await create(storage, "run_1")
    await storage.append("run_1", (step("run_1", 1),))
    with pytest.raises(EntryAlreadyRecordedError, match="step_1"):
        await storage.append("run_1", (step("run_1", 1),))
    with pytest.raises(EntryAlreadyRecordedError):
        await storage.append("run_1", (step("run_1", 2), step("run_1", 2)))
    await storage.append("run_1", (step("run_1", 1, attempt=2), step("run_1", 1, kind=EntryKind.STEP_INTENT)))
    assert (await verified(storage, "run_1")).entries_checked == 4


async def test_a_run_that_has_ended_is_refused(storage: Storage) -> None:
    """MUST refuse a run that has ended: RunConflictError."""
    await whole_run(storage, "run_1")
    with pytest.raises(RunConflictError, match="completed"):
        await storage.append("run_1", (step("run_1", 50),))
    assert await verified(storage, "run_1")


async def test_an_unknown_run_is_not_found(storage: Storage) -> None:
    """MUST raise RunNotFoundError for an unknown run, also for another tenant's entry."""
    with pytest.raises(RunNotFoundError):
        await storage.append("run_1", (step("run_1", 1),))
    await create(storage, "run_1")
    with pytest.raises(RunNotFoundError):
        await storage.append("run_1", (step("run_1", 1, tenant_id="other"),))


async def test_a_run_ends_with_run_finished(storage: Storage) -> None:
    """MUST refuse a change that ends the run unless the last entry is run_finished: InvalidRequestError."""
    await create(storage, "run_1")
    with pytest.raises(InvalidRequestError, match="run_finished"):
        await storage.append("run_1", (step("run_1", 1),), RunChange(status=RunStatus.FAILED))
    assert (await storage.get_run(TENANT, "run_1")).status is RunStatus.RUNNING


async def test_a_last_step_ends_its_run_as_two_appends_would(storage: Storage) -> None:
    """A change's step_usage stands in the first entry's record, all else in the last one's."""
    for run_id in ("run_1", "run_2"):
        await create(storage, run_id)
    change = ENDED._replace(step_usage=STEP_USAGE)
    together = await storage.append("run_1", (step("run_1", 1), finished("run_1")), change)
    apart = [
        *await storage.append("run_2", (step("run_2", 1),), RunChange(usage=STEP_USAGE)),
        *await storage.append("run_2", (finished("run_2"),), ENDED),
    ]
    told = [[json.loads(entry.record).get("change") for entry in entries] for entries in (together, apart)]
    assert [[sorted(change) for change in run] for run in told] == [[["usage"], ["output", "reason", "status"]]] * 2
    assert told[0][0] == told[1][0]
    one, two = [await storage.get_run(TENANT, run_id) for run_id in ("run_1", "run_2")]
    assert (one.usage, one.status, one.output, one.entries) == (two.usage, two.status, two.output, two.entries)
    assert one.usage == STEP_USAGE
    assert await verified(storage, "run_1")


async def test_a_steps_usage_needs_a_step(storage: Storage) -> None:
    """MUST refuse step_usage with a single entry: InvalidRequestError."""
    await create(storage, "run_1")
    with pytest.raises(InvalidRequestError, match="step_usage"):
        await storage.append("run_1", (finished("run_1"),), ENDED._replace(step_usage=STEP_USAGE))
    assert (await storage.get_run(TENANT, "run_1")).status is RunStatus.RUNNING


@pytest.mark.parametrize(
    ("facts", "place"),
    [
        ({"cost": 1.5}, "entry.facts.cost"),
        ({"nan": [float("nan")]}, r"entry.facts.nan\[0\]"),
        ({"big": 2**53}, "entry.facts.big"),
        ({"schlüssel": 1}, "ASCII"),
        ({"text": "\ud800"}, "entry"),
        ({"set": {"deep": [1, {2, 3}]}}, r"entry.facts.set.deep\[1\]"),
    ],
)
async def test_facts_without_canonical_form_are_refused(storage: Storage, facts: dict[str, object], place: str) -> None:
    """A fact that has no canonical form is refused by name, and nothing is kept."""
    await create(storage, "run_1")
    draft = EntryDraft("run_1", TENANT, EntryKind.STEP_COMMITTED, time_of(1), step_id="s", facts=facts)  # type: ignore[arg-type]
    with pytest.raises(NotCanonicalError, match=place):
        await storage.append("run_1", (draft,))
    assert len(await storage.entries(TENANT, "run_1")) == 1


async def test_bad_drafts_are_refused(storage: Storage) -> None:
    """An append without entries, of another run, or with a payload that is not Unicode is an invalid request."""
    await create(storage, "run_1")
    with pytest.raises(InvalidRequestError, match="at least one"):
        await storage.append("run_1", ())
    with pytest.raises(InvalidRequestError, match="run_1"):
        await storage.append("run_1", (step("run_2", 1),))
    broken = EntryDraft("run_1", TENANT, EntryKind.STEP_COMMITTED, time_of(1), step_id="s", output='"\ud800"')
    with pytest.raises(InvalidRequestError, match="output"):
        await storage.append("run_1", (broken,))


async def test_totals_add_up_over_many_changes(storage: Storage) -> None:
    """RunChange.usage is added to the totals; None leaves a field as it is."""
    await create(storage, "run_1")
    await storage.append(
        "run_1", (step("run_1", 1),), RunChange(status=RunStatus.PAUSED, reason="waits", blocked_by="x")
    )
    await asyncio.gather(
        *(
            storage.append("run_1", (step("run_1", place),), RunChange(usage=Usage(1, 2, 3, 4, 1)))
            for place in range(2, 52)
        )
    )
    run = await storage.get_run(TENANT, "run_1")
    assert run.usage == Usage(50, 100, 150, 200, 50)
    assert (run.status, run.reason, run.blocked_by, run.entries) == (RunStatus.PAUSED, "waits", "x", 52)
    assert await verified(storage, "run_1")


async def test_two_hundred_runs_append_at_once(storage: Storage) -> None:
    """Two hundred concurrent runs each keep a whole chain of their own."""

    async def drive(run_id: str) -> None:
        await whole_run(storage, run_id, steps=4)

    async with asyncio.TaskGroup() as group:
        for place in range(200):
            group.create_task(drive(f"run_{place:03}"))
    seqs: list[int] = []
    for place in range(200):
        assert await verified(storage, f"run_{place:03}")
        seqs += [entry.seq for entry in await storage.entries(TENANT, f"run_{place:03}")]
    assert sorted(seqs) == list(range(1, 200 * 6 + 1))


async def test_a_cancelled_caller_leaves_a_whole_ledger(storage: Storage) -> None:
    """Cancelling a caller neither harms other callers nor breaks the chain."""
    await create(storage, "run_1")
    await create(storage, "run_2")

    async def append(run_id: str) -> tuple[LedgerEntry, ...]:
        return await storage.append(run_id, (step(run_id, 1),))

    async with asyncio.timeout(60):
        async with asyncio.TaskGroup() as group:
            doomed = group.create_task(append("run_1"))
            kept = group.create_task(append("run_2"))
            await asyncio.sleep(0)
            doomed.cancel()
        assert kept.result()[0].sequence == 2
    await storage.append("run_1", (step("run_1", 2),))
    assert await verified(storage, "run_1")


async def test_close_is_idempotent_and_final(storage: Storage) -> None:
    """Flushes what was accepted; afterwards every call raises LedgerUnavailableError; closing again is harmless."""
    await create(storage, "run_1")
    accepted = asyncio.ensure_future(storage.append("run_1", (step("run_1", 1),)))
    await asyncio.sleep(0)
    await storage.close()
    await storage.close()
    assert (await accepted)[0].sequence == 2
    with pytest.raises(LedgerUnavailableError):
        await storage.append("run_1", (step("run_1", 2),))
    with pytest.raises(LedgerUnavailableError):
        await storage.ping()
