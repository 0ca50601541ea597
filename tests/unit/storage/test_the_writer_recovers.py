"""When the disk is full or the file locked, nothing is acknowledged; when it passes, the writer goes on by itself."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.storage.sqlite import writer as writer_module
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import TENANT, create, step, time_of, verified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Makes writes beyond a size fail, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_loses_nothing_and_passes(tmp_path: Path) -> None:
    """Appends fail while the disk is full, none of them is kept, and the next ones succeed when there is space again."""
    storage = await SqliteStorage.open(tmp_path / "ledger.db")
    for place in range(8):
        await create(storage, f"run_{place}")
    with no_file_longer_than((tmp_path / "ledger.db-wal").stat().st_size + 1000):
        answers = await asyncio.gather(
            *(storage.append(f"run_{place}", (step(f"run_{place}", 1),)) for place in range(8)), return_exceptions=True
        )
    assert {type(answer) for answer in answers} == {LedgerUnavailableError}
    assert all(isinstance(answer, LedgerUnavailableError) and answer.retry_after_s for answer in answers)
    for place in range(8):
        run_id = f"run_{place}"
        assert (await storage.append(run_id, (step(run_id, 1),)))[0].sequence == 2
        assert await verified(storage, run_id)
    await storage.close()


async def test_a_locked_file_is_waited_for_then_refused(tmp_path: Path) -> None:
    """While another process holds the write lock, appends fail after the timeout; afterwards they succeed."""
    storage = await SqliteStorage.open(tmp_path / "ledger.db", busy_timeout_s=0.05)
    await create(storage, "run_1")
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailableError, match="another process"):
            await storage.append("run_1", (step("run_1", 1),))
        assert (await storage.get_run(TENANT, "run_1")).entries == 1
    await storage.append("run_1", (step("run_1", 1),))
    assert await verified(storage, "run_1")
    await storage.close()


async def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound an append is refused at once with the limit and a time to come back; those waiting succeed."""
    storage = await SqliteStorage.open(tmp_path / "ledger.db")
    await create(storage, "run_1")
    monkeypatch.setattr(writer_module, "MAX_WAITING_COMMANDS", 10)
    answers = await asyncio.gather(
        *(storage.append("run_1", (step("run_1", place),)) for place in range(1, 16)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, LedgerUnavailableError)]
    assert len(refused) == 5
    assert "10 appends are waiting" in refused[0].message
    assert refused[0].retry_after_s
    await storage.append("run_1", (step("run_1", 20),))
    await storage.close()


async def test_heads_that_were_forgotten_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run idle for long loses its place in memory, not its chain."""
    monkeypatch.setattr("meshflow_grpc.storage.sequencer.MAX_HEADS", 3)
    storage = await SqliteStorage.open(tmp_path / "ledger.db")
    for place in range(10):
        await create(storage, f"run_{place}")
    for place in range(10):
        await storage.append(f"run_{place}", (step(f"run_{place}", 1),))
        assert await verified(storage, f"run_{place}")
    await storage.close()


async def test_large_payloads_are_committed_to_whole(tmp_path: Path) -> None:
    """Payloads of any size are stored and verified; a change in their middle is found."""
    storage = await SqliteStorage.open(tmp_path / "ledger.db")
    await create(storage, "run_1")
    for place, size in enumerate((2000, 2047, 2048, 5000, 300_000)):
        payload = '"' + "é" * size + '"'
        draft = EntryDraft(
            "run_1", TENANT, EntryKind.STEP_COMMITTED, time_of(place), step_id=str(place), output=payload
        )
        await storage.append("run_1", (draft,))
    assert await verified(storage, "run_1")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("UPDATE ledger_entries SET output = replace(output, 'éé\"', 'éè\"') WHERE sequence = 6")
        other.commit()
    assert [fault.sequence for fault in (await verified(storage, "run_1")).faults] == [6]
    await storage.close()
