"""MUST make an append durable before it returns: an acknowledged entry survives kill -9."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import TENANT, step, verified

KILLS = 8
REPOSITORY = Path(__file__).parents[2]


def killed_writer(path: Path, lines: int) -> list[str]:
    """Lets a writer acknowledge some appends, kills it without warning, and returns all it had acknowledged."""
    command = [sys.executable, "-m", "tests.crash.ledger_writer", str(path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline() for _ in range(lines)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    return [line for line in acknowledged if line.endswith("\n")]


async def test_acknowledged_entries_survive_kill_minus_nine(tmp_path: Path) -> None:
    """After each kill every acknowledged entry is there with its hash, all chains are whole, and the file takes new entries."""
    path, chance = tmp_path / "ledger.db", random.Random(1)
    for _ in range(KILLS):
        acknowledged = killed_writer(path, chance.randint(1, 400))
        assert acknowledged
        storage = await SqliteStorage.open(path)
        runs = await storage.unfinished_runs()
        recorded = {
            (entry.run_id, entry.sequence): entry.hash
            for run in runs
            for entry in await storage.entries(TENANT, run.run_id, limit=100_000)
        }
        for line in acknowledged:
            run_id, sequence, digest = line.split()
            assert recorded.get((run_id, int(sequence))) == digest
        for run in runs:
            result = await verified(storage, run.run_id)
            assert result, result.faults
        await storage.append(runs[-1].run_id, (step(runs[-1].run_id, 1_000_000),))
        await storage.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
