"""``meshflow ledger verify --jobs`` says the same in several processes as in one."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.cli.verification_processes import ENTRIES_A_PROCESS, MAX_PROCESSES, processes_for
from meshflow_grpc.config.signing import write_key_file
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import TENANT, whole_run
from tests.fakes.log_keys import KEY, publisher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Finished

    Meshflow = Callable[..., Finished]

RUNS = 12


async def _fill(path: Path) -> None:
    storage = await SqliteStorage.open(path)
    for number in range(RUNS):
        await whole_run(storage, f"run_{number:02}", steps=1 + number % 3)
    await publisher(storage).publish()
    await storage.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Finished runs under a signed head."""
    path = tmp_path / "ledger.db"
    asyncio.run(_fill(path))
    write_key_file(tmp_path / "ledger.db.signing-key", KEY)
    return path


@pytest.mark.parametrize("tampered", [False, True])
def test_two_processes_say_what_one_says(ledger: Path, meshflow: Meshflow, *, tampered: bool) -> None:
    """The same runs in the same order, the same faults, the same exit status."""
    if tampered:
        with closing(sqlite3.connect(ledger)) as connection:
            changed = connection.execute(
                "UPDATE ledger_entries SET output = 'x' WHERE run_id = 'run_07' AND sequence = 2"
            )
            assert changed.rowcount == 1
            connection.execute("UPDATE runs SET steps = steps + 1 WHERE run_id = 'run_03'")
            connection.commit()
    alone = meshflow("ledger", "verify", "--db", str(ledger), "--jobs", "1", "--output", "json")
    together = meshflow("ledger", "verify", "--db", str(ledger), "--jobs", "2", "--output", "json")
    assert together == alone
    assert alone.code == (6 if tampered else 0)
    assert ("run_07" in alone.out) and (("commitment" in alone.out) is tampered)


def test_a_run_that_is_not_there_is_named_by_any_number_of_processes(ledger: Path, meshflow: Meshflow) -> None:
    """What a process raises arrives."""
    asked = ("ledger", "verify", "run_01", "run_none", "--db", str(ledger), "--tenant", TENANT)
    alone, together = meshflow(*asked), meshflow(*asked, "--jobs", "2")
    assert together == alone
    assert alone.code != 0
    assert "run_none" in alone.err


@pytest.mark.parametrize(
    ("entries", "runs", "cores", "processes"),
    [
        (0, 0, 4, 1),
        (2 * ENTRIES_A_PROCESS - 1, 500, 4, 1),
        (2 * ENTRIES_A_PROCESS, 500, 4, 2),
        (100 * ENTRIES_A_PROCESS, 500, 4, 4),
        (100 * ENTRIES_A_PROCESS, 3, 4, 3),
        (100 * ENTRIES_A_PROCESS, 500, 64, MAX_PROCESSES),
        (100 * ENTRIES_A_PROCESS, 500, 1, 1),
    ],
)
def test_processes_are_as_many_as_pay_off(entries: int, runs: int, cores: int, processes: int) -> None:
    """Never more than cores, runs, or what the entries are worth."""
    assert processes_for(entries, runs, cores) == processes
