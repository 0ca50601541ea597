"""Durable appends per second, beside the raw group-commit limit of the same disk in the same session.

    python -m benchmarks.ledger_append [--dir DIR] [--seconds S] [--rounds N] [--log]

Each row interleaves the rounds of both sides and prints medians. ``raw`` inserts rows of the same size into the same table, in
batches as large as the number of runs, with nothing else to do. ``busy`` keeps the event loop computing all the time.
``--log`` integrates the entries into the Merkle log and publishes heads meanwhile, as the server does.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from meshflow_grpc.config.signing import passing_keys
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.domain.stored_row import EntryRow
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.engine.log_publisher import LogPublisher
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.sqlite.connection import open_writer
from meshflow_grpc.storage.sqlite.migrate import migrate
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from meshflow_grpc.system import SystemClock

TIME = "2026-01-02T03:04:05.678Z"
FACTS = {
    "policy_digest": "a" * 64,
    "stages": "AAAAAAAAAAAAAAA",
    "model": "mock-1",
    "input_tokens": 120,
    "output_tokens": 80,
    "cost_nano_usd": 123_456,
}
INPUT, OUTPUT = '{"task":"' + "x" * 300 + '"}', '{"text":"' + "y" * 600 + '"}'
CHANGE = RunChange(usage=Usage(120, 80, 123_456, 12, 1))
SWITCH_INTERVAL_S = 0.0005
SPIN_S = 0.0002


def draft(run_id: str, kind: EntryKind, step: int) -> EntryDraft:
    """Builds a typical step entry, about 2 kB with its payloads."""
    return EntryDraft(run_id, "default", kind, TIME, "writer", f"writer/{step}", 1, FACTS, INPUT, OUTPUT)


async def one_run(storage: SqliteStorage, run_id: str, until: float) -> int:
    """Appends step after step, each durable before the next; returns how many."""
    run = Run(run_id, "default", "bench", RunStatus.RUNNING, "a" * 64, {}, TIME, TIME)
    await storage.create_run(run, draft(run_id, EntryKind.RUN_STARTED, 0), "")
    step = 0
    while time.perf_counter() < until:
        step += 1
        await storage.append(run_id, (draft(run_id, EntryKind.STEP_COMMITTED, step),), CHANGE)
    return step


async def spin(until: float) -> None:
    """Keeps the event loop busy: computes, lets others run, computes."""
    while time.perf_counter() < until:
        pause = time.perf_counter() + SPIN_S
        while time.perf_counter() < pause:
            pass
        await asyncio.sleep(0)


async def appends(
    folder: Path, runs: int, seconds: float, *, busy: bool, log: bool, prefix: str = "run"
) -> tuple[float, float]:
    """Returns durable appends per second and CPU microseconds per append."""
    storage = await SqliteStorage.open(folder / "ledger.db")
    keys = passing_keys()
    publisher = LogPublisher(storage, keys, SystemClock())
    if log:
        await publisher.open()
        publisher.start()
    start, cpu = time.perf_counter(), time.process_time()
    until = start + seconds
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one_run(storage, f"{prefix}_{place:06}", until)) for place in range(runs)]
        if busy:
            group.create_task(spin(until))
    done = sum(task.result() for task in tasks)
    elapsed = time.perf_counter() - start
    if log:
        await publisher.stop()
    used = time.process_time() - cpu
    await storage.close()
    return done / elapsed, used / max(done, 1) * 1e6


def raw_limit(folder: Path, batch: int, seconds: float) -> float:
    """Returns rows per second of one connection that inserts ready rows, one statement and one commit a batch.

    Same table, same indexes, same sizes; no chain, no projection, no threads.
    """
    connection: sqlite3.Connection = open_writer(folder / "raw.db", 5.0)
    migrate(connection)
    width = len(EntryRow._fields)
    values = ", ".join([f"({', '.join('?' * width)})"] * batch)
    sql = f"INSERT INTO ledger_entries ({', '.join(EntryRow._fields)}) VALUES {values}"
    seq, step, start = 0, 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step += 1
        parameters: list[object] = []
        for run in range(batch):
            seq += 1
            parameters += (seq, f"run_{run:06}", "default", step, "step_committed", "writer", f"writer/{step}", 1, TIME)
            parameters += (INPUT, OUTPUT, "s" * 64, "s" * 64, "p" * 64, "h" * 64, b"r" * 850)
        connection.execute(sql, parameters)
    elapsed = time.perf_counter() - start
    connection.close()
    return seq / elapsed


def main() -> None:
    """Prints one line per number of concurrent runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, default=None)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--log", action="store_true")
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    print(f"{'runs':>5} {'loop':>5} {'appends/s':>10} {'raw/s':>10} {'ratio':>6} {'cpu us':>7}")
    for runs, busy in ((1, False), (16, False), (64, False), (256, False), (64, True), (256, True)):
        ours, raw, cpu = [], [], []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory(dir=options.dir) as folder:
                rate, used = uvloop.run(appends(Path(folder), runs, options.seconds, busy=busy, log=options.log))
                ours.append(rate)
                cpu.append(used)
                raw.append(raw_limit(Path(folder), runs, options.seconds / 2))
        rate, limit = statistics.median(ours), statistics.median(raw)
        loop = "busy" if busy else "idle"
        print(f"{runs:>5} {loop:>5} {rate:>10,.0f} {limit:>10,.0f} {rate / limit:>6.2f} {statistics.median(cpu):>7.1f}")


if __name__ == "__main__":
    main()
