"""Entries a second that verification gets through on the SQLite store: run by run, the log, and the whole ledger.

python -m benchmarks.ledger_verify [--dir DIR] [--runs N] [--steps N] [--rounds N]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.ledger_append import CHANGE, TIME, draft
from meshflow_grpc.commands.verify_log import verify_log
from meshflow_grpc.commands.verify_run import verify_run, verify_runs
from meshflow_grpc.config.signing import passing_keys
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.engine.log_publisher import LogPublisher
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from meshflow_grpc.system import SystemClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TENANT = "default"


async def build(path: Path, runs: int, steps: int) -> None:
    """Writes finished runs of two payloads a step, integrated and under a signed head."""
    storage = await SqliteStorage.open(path)
    publisher = LogPublisher(storage, passing_keys(), SystemClock())
    await publisher.open()
    publisher.start()

    async def one(run_id: str) -> None:
        run = Run(run_id, TENANT, "bench", RunStatus.RUNNING, "a" * 64, {}, TIME, TIME)
        await storage.create_run(run, draft(run_id, EntryKind.RUN_STARTED, 0), "")
        for step in range(1, steps + 1):
            await storage.append(run_id, (draft(run_id, EntryKind.STEP_COMMITTED, step),), CHANGE)
        ended = RunChange(status=RunStatus.COMPLETED, output="done")
        await storage.append(run_id, (draft(run_id, EntryKind.RUN_FINISHED, steps + 1),), ended)

    await asyncio.gather(*(one(f"run_{number:06}") for number in range(runs)))
    await publisher.stop()
    await storage.close()


async def run_by_run(storage: SqliteStorage) -> int:
    """VerifyRun of every run: chain, payloads, and the leaves of the log."""
    async with storage.raw_log() as log:
        runs = log.runs
    results = [await verify_run(storage, tenant_id, run_id) for tenant_id, run_id in runs]
    assert not any(result.faults for result in results)
    return sum(result.entries_checked for result in results)


async def the_log(storage: SqliteStorage) -> int:
    """Every leaf, every subtree, every head."""
    log, _ = await verify_log(storage)
    assert not log.faults
    return log.entries_checked


async def the_ledger(storage: SqliteStorage) -> int:
    """What ``meshflow ledger verify`` does: the log, then the chain of every run."""
    log, runs = await verify_log(storage)
    results = [result async for result in verify_runs(storage, runs, None, log)]
    assert not log.faults
    assert not any(result.faults for result in results)
    return log.entries_checked


async def measure(path: Path, rounds: int) -> None:
    """Prints the best of so many rounds of each, interleaved."""
    storage = await SqliteStorage.open_read_only(path)
    ways: dict[str, Callable[[SqliteStorage], Awaitable[int]]] = {
        "run by run": run_by_run,
        "the log": the_log,
        "the ledger": the_ledger,
    }
    best = dict.fromkeys(ways, (float("inf"), float("inf"), 0))
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            entries = await way(storage)
            taken = time.process_time() - cpu, time.perf_counter() - wall, entries
            best[name] = min(best[name], taken)
    for name, (cpu, wall, entries) in best.items():
        rates = f"{entries / cpu:>9,.0f} entries/s of CPU {entries / wall:>9,.0f} entries/s"
        sys.stdout.write(f"{name:<11} {rates} ({entries:,} entries)\n")
    await storage.close()


def main() -> None:
    """Prints a line for each way to verify."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, default=None)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        path = Path(folder) / "ledger.db"
        asyncio.run(build(path, options.runs, options.steps))
        asyncio.run(measure(path, options.rounds))


if __name__ == "__main__":
    main()
