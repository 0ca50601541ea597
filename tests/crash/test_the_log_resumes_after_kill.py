"""After kill -9 the log goes on where it stopped: nothing is integrated twice or left out, and no head it signed is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

from meshflow_grpc.commands.verify_log import verify_log
from meshflow_grpc.commands.verify_run import verify_run
from meshflow_grpc.ledger.checkpoint import Checkpoint
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.fakes.log_keys import KEYS, ORIGIN, publisher

KILLS = 5
REPOSITORY = Path(__file__).parents[2]


def killed_log(path: Path, heads: int) -> list[Checkpoint]:
    """Lets a process sign some heads, kills it without warning, and returns all it had told of."""
    command = [sys.executable, "-m", "tests.crash.log_writer", str(path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(heads)]
        writer.send_signal(signal.SIGKILL)
        told += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    words = [line.split() for line in told if line.endswith("\n")]
    return [Checkpoint(ORIGIN, int(size), bytes.fromhex(root)) for size, root in words]


async def test_the_log_resumes_after_kill_minus_nine(tmp_path: Path) -> None:
    """After each kill the log verifies as it is, contains every head told of, and opens and grows; runs raise no alarm."""
    path, chance = tmp_path / "ledger.db", random.Random(2)
    kept: list[Checkpoint] = []
    for _ in range(KILLS):
        kept += killed_log(path, chance.randint(1, 30))
        reader = await SqliteStorage.open_read_only(path)
        result, _ = await verify_log(reader, KEYS.verifiers, kept)
        assert result, result.faults
        await reader.close()
        storage = await SqliteStorage.open(path)
        head = await publisher(storage).open()
        result, runs = await verify_log(storage, KEYS.verifiers, kept)
        assert result, result.faults
        assert (result.size, result.pending) == (head.size, 0)
        assert result.entries_checked == head.size
        for tenant, run_id in runs[:: max(1, len(runs) // 5)]:
            verified = await verify_run(storage, tenant, run_id, KEYS.verifiers)
            assert verified, verified.faults
        await storage.close()
    assert len({head.size for head in kept}) > KILLS
