"""Disks that are full or fail at the n-th write or sync, and copies taken in the middle of writing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import TENANT, step, verified
from tests.crash.test_acknowledged_entries_survive_kill import REPOSITORY

pytestmark = pytest.mark.slow
APPENDS = 60


def _cannot_trace(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def written_on_a_failing_disk(path: Path, fault: str) -> list[str]:
    """What a writer says whose system calls fail as told once it has opened its file."""
    if shutil.which("strace") is None:
        _cannot_trace("strace is not installed")
    command = [sys.executable, "-m", "tests.crash.failing_disk", str(path), str(APPENDS)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        told = path.with_suffix(".strace")
        inject = ["-e", f"trace={fault.partition(':')[0]}", "-e", f"inject={fault}", "-o", "/dev/null"]
        with (
            told.open("w") as log,
            subprocess.Popen(["strace", "-f", "-p", str(writer.pid), *inject], stderr=log) as tracer,
        ):
            deadline = time.monotonic() + 60
            while "attached" not in told.read_text():
                if tracer.poll() is not None or time.monotonic() > deadline:
                    writer.kill()
                    _cannot_trace(f"this machine lets no process be traced: {told.read_text()}")
            said, errors = writer.communicate("go\n", timeout=60)
    assert writer.returncode == 0, errors
    return said.splitlines()


@pytest.mark.parametrize(
    "fault",
    ["pwrite64:error=ENOSPC:when=7+97", "pwrite64:error=EIO:when=3+83", "fdatasync:error=EIO:when=2+5"],
    ids=["full", "write", "sync"],
)
async def test_a_write_that_fails_is_refused_and_the_next_succeeds(tmp_path: Path, fault: str) -> None:
    """Again and again, at another place of the commit each time: what was acknowledged is there, and nothing else is broken."""
    path = tmp_path / "ledger.db"
    said = written_on_a_failing_disk(path, fault)
    acknowledged = [line for line in said if line != "refused"]
    assert len(acknowledged) == APPENDS
    assert said.count("refused") >= 3, "the faults hit nothing"
    await check_whole(path, acknowledged)


async def check_whole(path: Path, acknowledged: list[str]) -> None:
    """All that was acknowledged is there with its hash, chains verify, and the file takes new entries."""
    storage = await SqliteStorage.open(path)
    try:
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
            await storage.append(run.run_id, (step(run.run_id, 1_000_000),))
    finally:
        await storage.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def copies_of_a_writer_at_work(directory: Path) -> list[tuple[Path, list[str]]]:
    """Ten copies of the file and its write-ahead log, each with what had been acknowledged when it was taken."""
    chance = random.Random(2)
    command = [sys.executable, "-m", "tests.crash.ledger_writer", str(directory / "ledger.db")]
    copies: list[tuple[Path, list[str]]] = []
    acknowledged: list[str] = []
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        stat = Path(f"/proc/{writer.pid}/stat")
        for number in range(10):
            acknowledged += [writer.stdout.readline() for _ in range(chance.randint(10, 120))]
            writer.send_signal(signal.SIGSTOP)
            while stat.read_text().rpartition(")")[2].split()[0] != "T":
                pass
            copy = directory / f"copy-{number}"
            copy.mkdir()
            for name in ("ledger.db", "ledger.db-wal"):
                shutil.copyfile(directory / name, copy / name)
            writer.send_signal(signal.SIGCONT)
            copies.append((copy / "ledger.db", list(acknowledged)))
        writer.kill()
    return copies


async def test_a_copy_taken_at_any_moment_holds_all_that_was_acknowledged_before(tmp_path: Path) -> None:
    """As a snapshot of the disk would hold it, in the middle of whatever was being written."""
    for copied, before in copies_of_a_writer_at_work(tmp_path):
        await check_whole(copied, before)
