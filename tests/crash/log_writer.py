"""A process that appends and publishes without end: ``python -m tests.crash.log_writer FILE``. It prints each head's size and root."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import create, step
from tests.fakes.log_keys import publisher

RUNS = 8


async def main(path: Path) -> None:
    """Integrates in small batches, so that a kill comes in the middle of one."""
    storage = await SqliteStorage.open(path)
    log = publisher(storage)
    await log.open()

    async def drive(run_id: str) -> None:
        await create(storage, run_id)
        place = 0
        while True:
            place += 1
            await storage.append(run_id, (step(run_id, place),))

    async def publish() -> None:
        while True:
            await storage.integrate(3)
            head = await log.publish()
            os.write(1, f"{head.size} {head.root.hex()}\n".encode())

    async with asyncio.TaskGroup() as group:
        for place in range(RUNS):
            group.create_task(drive(f"run_{os.getpid()}_{place:02}"))
        group.create_task(publish())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
