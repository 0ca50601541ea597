"""A server wakes for the gate that is out of time first, and reads the paused runs only then."""

from __future__ import annotations

import asyncio

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.run import EventView, Run, RunStatus
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.ids import SequentialIds
from tests.unit.engine.conftest import ALICE, World, make_world

GATED = """
name: gated
nodes: {only: {kind: agent, risk: external_io}}
edges: [START -> only]
"""


class ReadsCounted(MemoryStorage):
    """Counts how often paused runs are looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.read = asyncio.Event()

    async def paused_runs(self, *, after_run_id: str = "", limit: int = 200) -> tuple[Run, ...]:
        """One more."""
        self.reads += 1
        self.read.set()
        return await super().paused_runs(after_run_id=after_run_id, limit=limit)


async def paused(world: World, timeout_s: float) -> Run:
    """A run that waits for a human for so long."""
    human = {"enabled": True, "tier_threshold": RiskTier.EXTERNAL_IO, "timeout_s": timeout_s}
    run = await world.run(workflow_yaml=GATED, policy={"human_in_loop": human})
    assert run.status is RunStatus.PAUSED
    return run


async def end_of(world: World, run: Run) -> Run:
    """The run when it has ended."""
    async for _ in world.runtime.commands.watch_run.execute(ALICE, run.run_id, after_sequence=0, view=EventView.BASIC):
        pass
    return await world.runtime.commands.get_run.execute(ALICE, run.run_id)


async def test_a_gate_that_pauses_later_and_is_due_sooner_is_decided_on_time() -> None:
    """The server already waits for another one, an hour away."""
    storage = ReadsCounted()
    world = make_world(storage=storage)
    later = await paused(world, 3600.0)
    sweep = asyncio.create_task(world.runtime.expiry.keep_expiring())
    await storage.read.wait()
    sooner = await paused(world, 0.2)
    ended = await end_of(world, sooner)
    sweep.cancel()

    assert ended.status is RunStatus.REJECTED
    assert (await world.runtime.commands.get_run.execute(ALICE, later.run_id)).status is RunStatus.PAUSED
    assert storage.reads <= 3


async def test_gates_that_are_far_from_due_cost_nothing() -> None:
    """However many more runs pause, nothing is read until one is out of time."""
    storage = ReadsCounted()
    world = make_world(storage=storage)
    sweep = asyncio.create_task(world.runtime.expiry.keep_expiring())
    await storage.read.wait()
    for _ in range(20):
        await paused(world, 3600.0)
    sweep.cancel()

    assert storage.reads == 1


async def test_a_restarted_server_knows_what_is_due() -> None:
    """From the ledger alone; a gate that ran out while it was away is decided at once."""
    storage = ReadsCounted()
    run = await paused(make_world(storage=storage), 0.01)
    again = make_world(storage=storage, ids=SequentialIds(100))
    sweep = asyncio.create_task(again.runtime.expiry.keep_expiring())
    ended = await end_of(again, run)
    sweep.cancel()

    assert ended.status is RunStatus.REJECTED
