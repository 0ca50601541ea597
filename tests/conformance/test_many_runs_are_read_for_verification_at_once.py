"""Verification of many runs reads them one after the other, each as it was at one moment, however short or long they are."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import aiosqlite
import pytest

from meshflow_grpc.commands.verify_run import verify_run, verify_runs
from meshflow_grpc.domain.check import LogVerification
from meshflow_grpc.domain.errors import RunNotFoundError
from meshflow_grpc.storage.sqlite.storage import RAW_PAGE_ROWS, SqliteStorage
from tests.conformance.drafts import ENDED, TENANT, create, finished, step, verified, whole_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meshflow_grpc.ports.storage import Storage

# Steps of runs: two pages between others that share one, a page to the entry, and one entry more than a page.
STEPS = {"run_a": 1, "run_b": RAW_PAGE_ROWS + 7, "run_c": 2, "run_d": RAW_PAGE_ROWS - 2, "run_e": RAW_PAGE_ROWS - 1}
OWNED = [(TENANT, run_id) for run_id in STEPS]
NO_FAULTS = LogVerification(0, 0, 0, "", 0, signed=True)


async def fill(storage: Storage) -> None:
    """Records a run of each length."""
    for run_id, steps in STEPS.items():
        await create(storage, run_id)
        await storage.append(run_id, tuple(step(run_id, place) for place in range(1, steps + 1)))
        await storage.append(run_id, (finished(run_id),), ENDED)


async def test_each_run_is_verified_as_if_it_were_alone(storage: Storage) -> None:
    """Pages of one never count for another."""
    await fill(storage)
    results = [result async for result in verify_runs(storage, OWNED, (), NO_FAULTS)]
    assert results == [await verified(storage, run_id) for _, run_id in OWNED]
    assert [result.entries_checked for result in results] == [steps + 2 for steps in STEPS.values()]
    assert all(result.valid for result in results)


async def test_a_log_with_faults_makes_each_run_answer_for_its_leaves(storage: Storage) -> None:
    """Only a log without faults may stand for the leaves of its entries."""
    await whole_run(storage, "run_1")
    faulty = replace(NO_FAULTS, faults=(object(),))  # type: ignore[arg-type]
    (result,) = [each async for each in verify_runs(storage, [(TENANT, "run_1")], (), faulty)]
    assert result == await verify_run(storage, TENANT, "run_1", ())


async def test_a_run_that_is_not_there_is_named_in_its_turn(storage: Storage) -> None:
    """Those before it are given, and the store goes on."""
    await whole_run(storage, "run_1")
    given = []
    with pytest.raises(RunNotFoundError, match="run_2"):
        async for chain in storage.raw_chains([(TENANT, "run_1"), (TENANT, "run_2"), (TENANT, "run_1")]):
            given += [row.run_id async for page in chain.pages for row in page]
    assert given == ["run_1"] * 5
    with pytest.raises(RunNotFoundError):
        await anext(aiter(storage.raw_chains([("another", "run_1")])))
    assert (await verified(storage, "run_1")).valid


async def test_a_reader_may_leave_before_the_end(storage: Storage) -> None:
    """Also in the middle of a long run."""
    await fill(storage)
    async with aclosing(storage.raw_chains(OWNED)) as chains:
        async for chain in chains:
            assert chain.run is not None
            if chain.run.run_id == "run_b":
                await anext(aiter(chain.pages))
                break
    assert (await verified(storage, "run_b")).valid


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often a thread that reads was waited for so far."""
    count = 0
    execute = aiosqlite.Connection._execute

    async def counted(connection: aiosqlite.Connection, *work: object) -> object:
        nonlocal count
        count += 1
        return await execute(connection, *work)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return lambda: count


async def test_short_runs_share_a_turn_of_the_thread_that_reads(tmp_path: Path, turns: Callable[[], int]) -> None:
    """Waiting for it costs more than reading a short run: 150 runs of 5 entries are two pages."""
    storage = await SqliteStorage.open(tmp_path / "ledger.db")
    await asyncio.gather(*(whole_run(storage, f"run_{number:03}") for number in range(150)))
    owned = [(TENANT, f"run_{number:03}") for number in range(150)]
    before = turns()
    assert [result.entries_checked async for result in verify_runs(storage, owned, (), NO_FAULTS)] == [5] * 150
    assert turns() - before <= 4
    await storage.close()
