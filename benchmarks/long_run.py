"""What an entry costs at the start and at the end of a very long run, on the SQLite store, and what verifying that run costs.

python -m benchmarks.long_run [--dir DIR] [--entries N]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.ledger_append import CHANGE, TIME, draft
from meshflow_grpc.commands.verify_run import verify_run
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.storage.sqlite.storage import SqliteStorage

RUN_ID, TENANT = "run_1", "default"
AT_ONCE = 64
PART = 2048


async def grow(path: Path, entries: int) -> list[float]:
    """Appends to one run, so many a transaction; returns CPU microseconds an entry of each part."""
    storage = await SqliteStorage.open(path)
    run = Run(RUN_ID, TENANT, "bench", RunStatus.RUNNING, "a" * 64, {}, TIME, TIME)
    await storage.create_run(run, draft(RUN_ID, EntryKind.RUN_STARTED, 0), "")
    costs = []
    for part in range(0, entries, PART):
        cpu = time.process_time()
        for first in range(part, part + PART, AT_ONCE):
            drafts = (draft(RUN_ID, EntryKind.STEP_COMMITTED, first + each) for each in range(1, AT_ONCE + 1))
            await asyncio.gather(*(storage.append(RUN_ID, (each,), CHANGE) for each in drafts))
        costs.append((time.process_time() - cpu) / PART * 1e6)
    await storage.close()
    return costs


async def verified(path: Path) -> tuple[int, float]:
    """Entries of the run, and CPU microseconds an entry of verifying it."""
    storage = await SqliteStorage.open_read_only(path)
    cpu = time.process_time()
    result = await verify_run(storage, TENANT, RUN_ID)
    cpu = time.process_time() - cpu
    await storage.close()
    assert not result.faults
    return result.entries_checked, cpu / result.entries_checked * 1e6


def main() -> None:
    """Prints the cost of the first and of the last tenth, and of verifying."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, default=None)
    parser.add_argument("--entries", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        path = Path(folder) / "ledger.db"
        costs = uvloop.run(grow(path, options.entries))
        tenth = max(1, len(costs) // 10)
        first, last = statistics.median(costs[:tenth]), statistics.median(costs[-tenth:])
        sys.stdout.write(
            f"append: first tenth {first:.0f} us CPU an entry, last tenth {last:.0f}: {last / first:.2f}\n"
        )
        entries, cost = asyncio.run(verified(path))
        sys.stdout.write(f"verify: {cost:.1f} us CPU an entry ({entries:,} entries)\n")


if __name__ == "__main__":
    main()
