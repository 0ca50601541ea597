"""A process that appends until enough was acknowledged, whatever is refused: ``python -m tests.crash.failing_disk FILE APPENDS``."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import create, step


async def main(path: Path, appends: int) -> None:
    """Prints ``ready``, waits for a line, then prints ``run sequence hash`` or ``refused`` for each append."""
    storage = await SqliteStorage.open(path)
    await create(storage, "run_1")
    os.write(1, b"ready\n")
    await asyncio.to_thread(sys.stdin.readline)
    acknowledged = place = 0
    while acknowledged < appends:
        place += 1
        try:
            (entry,) = await storage.append("run_1", (step("run_1", place),))
        except LedgerUnavailableError:
            os.write(1, b"refused\n")
        else:
            acknowledged += 1
            os.write(1, f"run_1 {entry.sequence} {entry.hash}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
