"""A run that a killed process left behind goes on where its ledger ends: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import RunRequest, RunStatus
from meshflow_grpc.engine import engine as engine_module
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, World, make_world


async def crashed_in_the_writer(policy: dict[str, object] | None = None) -> tuple[World, str]:
    """A world whose process stopped while the writer was working."""
    line, started, _ = gate()
    world = make_world(FakeProvider({"writer": [line]}))
    run = await world.runtime.commands.create_run.execute(ALICE, RunRequest(task="tides", policy=policy or {}))
    await started.wait()
    for task in world.runtime.engine._tasks:
        task.cancel()
    await asyncio.wait(world.runtime.engine._tasks)
    return world, run.run_id


async def restarted(world: World) -> World:
    """A new process on the same ledger, after recovery."""
    again = make_world(storage=world.storage, ids=SequentialIds())
    await again.runtime.engine.recover()
    return again


async def test_committed_steps_are_not_executed_again() -> None:
    """The researcher's output comes from the ledger."""
    world, run_id = await crashed_in_the_writer()
    again = await restarted(world)
    run = await again.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=30)

    assert run.status is RunStatus.COMPLETED
    assert [r.agent_id for r in again.provider.requests] == ["writer"]
    assert "researcher done" in again.provider.requests[0].prompt


async def test_the_ledger_shows_the_resume_and_verifies() -> None:
    """Evidence of both lives of the run."""
    world, run_id = await crashed_in_the_writer()
    again = await restarted(world)
    await again.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=30)

    kinds = [e.kind for e in await again.entries(run_id)]
    assert kinds.count(EntryKind.RUN_RESUMED) == 1
    assert kinds.count(EntryKind.STEP_COMMITTED) == 2
    assert kinds[-1] is EntryKind.RUN_FINISHED
    assert await again.runtime.commands.verify_run.execute(ALICE, run_id)


async def test_a_second_crash_is_survived_too() -> None:
    """Resuming twice keeps the entries distinct."""
    world, run_id = await crashed_in_the_writer()
    line, started, _ = gate()
    second = make_world(FakeProvider({"writer": [line]}), storage=world.storage)
    await second.runtime.engine.recover()
    await started.wait()
    for task in second.runtime.engine._tasks:
        task.cancel()
    await asyncio.wait(second.runtime.engine._tasks)
    third = await restarted(second)

    assert (await third.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=30)).status is RunStatus.COMPLETED


async def test_what_was_used_before_the_crash_counts() -> None:
    """The totals are those of both lives of the run."""
    world, run_id = await crashed_in_the_writer({"max_steps": 2})
    again = await restarted(world)
    run = await again.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=30)

    assert run.status is RunStatus.COMPLETED
    assert run.usage.steps == 2
    assert run == await again.runtime.commands.get_run.execute(ALICE, run_id)


async def test_nothing_is_released_while_the_ledger_is_away(monkeypatch: object) -> None:
    """The caller is told UNAVAILABLE; when the ledger is back the run goes on by itself."""

    class Flaky(MemoryStorage):
        """Fails the second append."""

        away = 0

        async def append(self, *args: object, **kwargs: object) -> object:
            """Counts down to failure."""
            self.away += 1
            if self.away == 2:
                raise LedgerUnavailableError("the ledger is away")
            return await super().append(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(engine_module, "RESUME_RETRY_S", 0.0)  # type: ignore[attr-defined]
    world = make_world(storage=Flaky())
    try:
        await world.run()
    except LedgerUnavailableError:
        unavailable = True
    assert unavailable
    (run,) = (
        await world.runtime.commands.list_runs.execute(ALICE, page_size=0, page_token="", status="", workflow="")
    ).runs
    ended = await world.runtime.commands.wait_run.execute(ALICE, run.run_id, timeout_s=30)
    while ended.status is RunStatus.RUNNING:
        await asyncio.sleep(0)
        ended = await world.runtime.commands.wait_run.execute(ALICE, run.run_id, timeout_s=30)

    assert ended.status is RunStatus.COMPLETED
    assert await world.runtime.commands.verify_run.execute(ALICE, run.run_id)
