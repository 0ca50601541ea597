"""A start that reached the ledger although its answer did not: the run goes on by itself, and repeating the request attaches to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError, RunNotFoundError
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.engine import engine as engine_module
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.ports.storage import RunQuery
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.unit.engine.conftest import ALICE, make_world

if TYPE_CHECKING:
    from meshflow_grpc.domain.ledger_entry import EntryDraft
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ports.storage import CreatedRun


class Severed(MemoryStorage):
    """Loses the answer to the next starts; with ``arrives`` they are recorded all the same."""

    def __init__(self, *, arrives: bool = True) -> None:
        super().__init__()
        self.lost = 1
        self.arrives = arrives

    async def create_run(self, run: Run, draft: EntryDraft, request_fingerprint: str) -> CreatedRun:
        """See Storage."""
        if self.lost and not self.arrives:
            self.lost -= 1
            raise LedgerUnavailableError("gone", metadata={"cause": "57P01"})
        created = await super().create_run(run, draft, request_fingerprint)
        if self.lost:
            self.lost -= 1
            raise LedgerUnavailableError("gone", metadata={"cause": "57P01"})
        return created


async def only_run(storage: MemoryStorage) -> Run:
    """The ledger's one run."""
    (run,) = (await storage.list_runs(RunQuery("acme"))).runs
    return run


async def test_repeating_the_request_attaches(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run, executed once."""
    monkeypatch.setattr(engine_module, "RESUME_RETRY_S", 0.01)
    world = make_world(storage=Severed())
    with pytest.raises(LedgerUnavailableError):
        await world.run(request_id="r")
    again = await world.run(request_id="r")
    assert again.status is RunStatus.COMPLETED
    assert (await only_run(world.storage)).run_id == again.run_id
    assert [request.agent_id for request in world.provider.requests] == ["researcher", "writer"]


async def test_nobody_need_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a restart."""
    monkeypatch.setattr(engine_module, "RESUME_RETRY_S", 0.01)
    world = make_world(storage=Severed())
    with pytest.raises(LedgerUnavailableError):
        await world.run()
    await world.runtime.engine.drain(5)
    assert (await only_run(world.storage)).status is RunStatus.COMPLETED


async def test_a_start_that_never_arrived_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run, and nothing left in flight."""
    monkeypatch.setattr(engine_module, "RESUME_RETRY_S", 0.01)
    world = make_world(storage=Severed(arrives=False))
    with pytest.raises(LedgerUnavailableError):
        await world.run()
    await world.runtime.engine.drain(5)
    assert (await world.storage.list_runs(RunQuery("acme"))).runs == ()
    assert world.runtime.engine.in_flight == 0


async def test_the_same_holds_for_forks() -> None:
    """The fork goes on, and its request finds it."""
    storage = Severed()
    storage.lost = 0
    world = make_world(storage=storage)
    parent = await world.run()
    storage.lost = 1
    fork = world.runtime.commands.fork_run.execute
    point = ForkPoint(before_node="writer")
    with pytest.raises(LedgerUnavailableError):
        await fork(ALICE, parent.run_id, point, request_id="f")
    found = await fork(ALICE, parent.run_id, point, request_id="f")
    async with asyncio.timeout(60):
        ended = await world.runtime.commands.wait_run.execute(ALICE, found.run_id, timeout_s=30)
    assert ended.status is RunStatus.COMPLETED
    with pytest.raises(RunNotFoundError):
        await storage.get_run("acme", "run_x")
