"""Runs that go on a few turns of the loop after their last entries were durable are committed together; one alone waits for nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.storage.gathering import MAX_TURNS, turns_after
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from meshflow_grpc.storage.sqlite.transaction import BatchWriter
from tests.conformance.drafts import create, step, verified

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from meshflow_grpc.storage.batch import Command, Outcome

RUNS, STEPS = 16, 10


def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many commands each commit from now on has."""
    sizes: list[int] = []
    write = BatchWriter.write

    def counted(writer: BatchWriter, commands: Sequence[Command]) -> list[Outcome]:
        sizes.append(len(commands))
        return write(writer, commands)  # type: ignore[arg-type]

    monkeypatch.setattr(BatchWriter, "write", counted)
    return sizes


async def drive(storage: SqliteStorage, run_id: str) -> None:
    """A run's steps, with the turns that its tasks take from one entry to the next."""
    for place in range(1, STEPS + 1):
        await storage.append(run_id, (step(run_id, place),))
        for _ in range(4):
            await asyncio.sleep(0)


async def test_two_groups_of_runs_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that began while the others were committed would otherwise take turns with them for ever, in twice the commits."""
    storage = await SqliteStorage.open(tmp_path / "ledger.db")
    for number in range(RUNS):
        await create(storage, f"run_{number}")
    sizes = commits(monkeypatch)
    early = [asyncio.create_task(drive(storage, f"run_{number}")) for number in range(RUNS // 2)]
    for _ in range(3):  # until their first entries are with the writer's thread
        await asyncio.sleep(0)
    await asyncio.gather(*early, *(drive(storage, f"run_{number}") for number in range(RUNS // 2, RUNS)))
    assert sum(sizes) == RUNS * STEPS
    assert len(sizes) <= STEPS + 4
    for number in range(RUNS):
        assert await verified(storage, f"run_{number}")
    await storage.close()


def test_a_run_that_is_alone_waits_for_nobody() -> None:
    """Nothing is gathered after a commit of one; how long is bounded however many there were."""
    assert turns_after(1) == 0
    assert 0 < turns_after(2) <= turns_after(512) == MAX_TURNS
