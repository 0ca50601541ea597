"""A cancellation that comes too late changes nothing, and is told what became of the run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.run import CancelReason, RunRequest, RunStatus
from meshflow_grpc.engine import engine as engine_module
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.unit.engine.conftest import ALICE, make_world

if TYPE_CHECKING:
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Run


class AwayOnce(MemoryStorage):
    """Refuses the first append after the start."""

    away = True

    async def append(self, *arguments: Any, **options: Any) -> tuple[LedgerEntry, ...]:
        """See Storage."""
        if self.away:
            self.away = False
            raise LedgerUnavailableError("gone", metadata={"cause": "57P01"})
        return await super().append(*arguments, **options)


async def test_a_disconnect_after_the_ledger_was_lost_does_not_stop_the_resumption(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cancellation is of an execution that is over; the task now waits to resume the run."""
    monkeypatch.setattr(engine_module, "RESUME_RETRY_S", 0.05)
    world = make_world(storage=AwayOnce())
    engine = world.runtime.engine
    active = engine.start(await engine.admit(ALICE, RunRequest(task="x")), "run_1")
    with pytest.raises(LedgerUnavailableError):
        await asyncio.shield(active.done)
    active.cancel(CancelReason.DISCONNECT)
    run = await world.runtime.commands.wait_run.execute(ALICE, "run_1", timeout_s=30)
    assert run.status is RunStatus.COMPLETED


class ReadLate(MemoryStorage):
    """Gives the first reading of a run as it was, when the run has ended meanwhile."""

    over: asyncio.Future[Run] | None = None

    async def get_run(self, tenant_id: str, run_id: str) -> Run:
        """See Storage."""
        run = await super().get_run(tenant_id, run_id)
        if (over := self.over) is not None:
            self.over = None
            await asyncio.shield(over)
            await asyncio.sleep(0)
        return run


async def test_a_run_that_ended_while_it_was_looked_up_is_told_as_ended() -> None:
    """It was read as running, and then nobody executed it any more."""
    storage = ReadLate()
    world = make_world(storage=storage)
    engine = world.runtime.engine
    active = engine.start(await engine.admit(ALICE, RunRequest(task="x")), "run_1")
    await asyncio.shield(active.created)
    storage.over = active.done
    run = await world.runtime.commands.cancel_run.execute(ALICE, "run_1", reason="too late")
    assert storage.over is None
    assert run.status is RunStatus.COMPLETED
