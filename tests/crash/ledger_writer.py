"""A process that appends without end and reports what was acknowledged: ``python -m tests.crash.ledger_writer FILE``."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import STEP_USAGE, create, step

RUNS = 16


async def main(path: Path) -> None:
    """Drives runs at once; prints a line ``run sequence hash`` after each acknowledged append."""
    storage = await SqliteStorage.open(path)

    async def drive(run_id: str) -> None:
        await create(storage, run_id)
        place = 0
        while True:
            place += 1
            (entry,) = await storage.append(run_id, (step(run_id, place),), RunChange(usage=STEP_USAGE))
            os.write(1, f"{run_id} {entry.sequence} {entry.hash}\n".encode())

    async with asyncio.TaskGroup() as group:
        for place in range(RUNS):
            group.create_task(drive(f"run_{os.getpid()}_{place:02}"))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
