"""Power loss: an append's answer comes after the log file was synced, as the operating system sees it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.test_acknowledged_entries_survive_kill import REPOSITORY

LINES = 40
WRITTEN = re.compile(r"pwrite64\(\d+<(?P<file>[^>]+-wal)>")
SYNCED = re.compile(r"f(?:data)?sync\(\d+<(?P<file>[^>]+-wal)>\)\s+= 0")
# One append after the other: between two answers there is nothing but the one commit.
WRITER = """
import asyncio, os, sys
from pathlib import Path
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import create, step

async def main():
    storage = await SqliteStorage.open(Path(sys.argv[1]))
    await create(storage, "run_1")
    for place in range(1, 1000):
        await storage.append("run_1", (step("run_1", place),))
        os.write(1, b"run_1\\n")

asyncio.run(main())
"""
TOLD = re.compile(r'write\(1<[^>]*>, "run_')


def _cannot_trace(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.mark.slow
def test_no_append_is_acknowledged_before_its_sync(tmp_path: Path) -> None:
    """In the order of system calls: whatever was written to the log is synced before anyone is told of it."""
    if shutil.which("strace") is None:
        _cannot_trace("strace is not installed")
    trace = tmp_path / "trace"
    writer = [sys.executable, "-c", WRITER, str(tmp_path / "ledger.db")]
    command = ["strace", "-f", "-y", "-e", "trace=pwrite64,fdatasync,fsync,write", "-o", str(trace), *writer]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as traced:
        assert traced.stdout is not None
        told = [traced.stdout.readline() for _ in range(LINES)]
        traced.kill()
        _, said = traced.communicate()
    if not all(told):
        assert "ptrace" in said, said
        _cannot_trace("this machine lets no process be traced")

    unsynced, synced, acknowledged = False, False, 0
    for line in _whole(trace.read_text(encoding="utf-8", errors="replace").splitlines()):
        if WRITTEN.search(line):
            unsynced = True
        elif SYNCED.search(line):
            unsynced, synced = False, True
        elif TOLD.search(line) and acknowledged < LINES:
            assert synced, "an append was acknowledged without a sync of its own"
            assert not unsynced, "an append was acknowledged with writes that were not synced"
            synced, acknowledged = False, acknowledged + 1
    assert acknowledged == LINES


def _whole(lines: list[str]) -> list[str]:
    """Joins calls that the trace shows in two parts, at the place where they returned."""
    begun: dict[str, str] = {}
    whole = []
    for line in lines:
        thread, _, call = line.partition(" ")
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
        elif "resumed>" in call and thread in begun:
            whole.append(begun.pop(thread) + call.split("resumed>")[1])
        else:
            whole.append(call)
    return whole
