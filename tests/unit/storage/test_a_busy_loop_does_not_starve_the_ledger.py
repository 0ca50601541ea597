"""An event loop that is never idle leaves the writer's thread its share."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import uvloop

from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import create, step

if TYPE_CHECKING:
    from pathlib import Path

APPENDS = 100
TURN_S = 0.0002
TURNS = 40_000


async def appended_beside_a_busy_loop(path: Path) -> int:
    """Appends while each turn of the loop computes for less than the interpreter's switch interval; returns how many."""
    storage = await SqliteStorage.open(path)
    done = 0

    async def drive(run_id: str) -> None:
        nonlocal done
        await create(storage, run_id)
        for place in range(1, APPENDS + 1):
            await storage.append(run_id, (step(run_id, place),))
            done = place

    begun = time.perf_counter()
    await drive("run_1")
    disk_s, done = time.perf_counter() - begun, 0
    task = asyncio.create_task(drive("run_2"))
    # Counted in turns: what another process takes of the machine is no turn. What the disk takes is not held against the loop.
    for _ in range(TURNS + int(3 * disk_s / TURN_S)):
        turn = time.perf_counter() + TURN_S
        while time.perf_counter() < turn:
            pass
        await asyncio.sleep(0)
        if task.done():
            break
    appended = done
    await task
    await storage.close()
    return appended


def test_appends_go_on_beside_a_loop_that_is_never_idle(tmp_path: Path) -> None:
    """A hundred appends, one after the other, are durable in eight seconds of turns beside what the disk takes."""
    assert uvloop.run(appended_beside_a_busy_loop(tmp_path / "ledger.db")) == APPENDS
