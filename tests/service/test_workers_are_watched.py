"""What a supervisor does with workers that hang, end and never come up; the workers here are small programs."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app import workers as workers_module
from meshflow_grpc.app.seat import Seat
from meshflow_grpc.app.worker_process import WorkerProcess
from meshflow_grpc.app.workers import Workers, WorkersFailedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REPORT = """
import json, os, signal, sys, time
seat = json.load(sys.stdin)
def tell(**more):
    line = {"ready": True, "started": True, "ledger_reachable": True} | more
    os.write(seat["report"], (json.dumps(line) + chr(10)).encode())
"""
HANGS = REPORT + "tell()\nsignal.pause()\n"
NEVER = REPORT + "tell(ready=False)\nsys.exit(7)\n"
DEAF = REPORT + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntell()\nwhile True: time.sleep(0.05); tell()\n"
DEADLINE_S = 60.0


def command(program: str) -> tuple[str, ...]:
    """Runs it as a worker."""
    return (sys.executable, "-c", program)


def seat(index: int = 0) -> Seat:
    """A place for it."""
    return Seat(index, "unix:unused", 0, {})


def nothing() -> None:
    """Nobody wants to know."""


async def until(true: Callable[[], bool]) -> None:
    """Waits for a condition."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110 - what it waits for happens in another program
            await asyncio.sleep(0.005)


async def test_a_worker_that_falls_silent_is_killed() -> None:
    """Its event loop stands still: nobody else would ever notice."""
    worker = await WorkerProcess.spawn(seat(), nothing, command(HANGS))
    worker.silent_s = 0.2
    async with asyncio.timeout(DEADLINE_S):
        assert await worker.ended == -signal.SIGKILL
    assert worker.was_ready
    assert not worker.ready


async def test_a_worker_that_does_not_stop_is_killed() -> None:
    """After the time it has."""
    worker = await WorkerProcess.spawn(seat(), nothing, command(DEAF))
    await until(lambda: worker.ready)
    assert await worker.stop(0.2) == -signal.SIGKILL


async def test_a_worker_that_ends_is_started_again_and_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With more time between, up to a bound; its seat stays its own."""
    monkeypatch.setattr(workers_module, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(workers_module, "LONGEST_DELAY_S", 0.002)
    seen = tmp_path / "seen"
    program = f"{REPORT}open({str(seen)!r}, 'a').write(str(seat['index']))\ntell()\nsys.exit(3)\n"
    team = Workers([seat(5)], nothing, command(program))
    await team.start()
    await until(lambda: seen.read_text().count("5") >= 3)
    await team.stop(DEADLINE_S)
    assert set(seen.read_text()) == {"5"}


async def test_one_that_never_came_up_fails_the_start() -> None:
    """The others are stopped by whoever started them."""
    team = Workers([seat(0)], nothing, command(NEVER))
    with pytest.raises(WorkersFailedError, match="status 7 before it was ready"):
        await team.start()
    assert not await team.stop(DEADLINE_S)


async def test_one_ready_worker_is_enough() -> None:
    """Readiness is theirs taken together, and told when it changes."""
    told: list[bool] = []
    team = Workers([seat(0), seat(1)], lambda: told.append(team.ready), command(HANGS))
    await team.start()
    assert team.ready
    assert told[0] is False
    assert told[-1] is True
    assert not await team.stop(DEADLINE_S)
    assert not team.ready
