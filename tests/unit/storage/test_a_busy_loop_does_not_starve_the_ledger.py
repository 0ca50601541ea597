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
    await create(storage, "run_1")
    done = 0

    async def drive() -> None:
        nonlocal done
        for place in range(1, APPENDS + 1):
            await storage.append("run_1", (step("run_1", place),))
            done = place

    task = asyncio.create_task(drive())
    # Counted in turns: what another process takes of the machine is no turn.
    for _ in range(TURNS):
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
    """A hundred appends, one after the other, are durable within eight seconds of turns although the loop never waits."""
    assert uvloop.run(appended_beside_a_busy_loop(tmp_path / "ledger.db")) == APPENDS
