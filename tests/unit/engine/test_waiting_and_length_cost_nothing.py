"""A paused run is rows and nothing else; a step of a long run costs what a step of a short one does."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Any

import pytest

from meshflow_grpc.domain.ledger_entry import LedgerEntry
from meshflow_grpc.engine.active_run import ActiveRun
from meshflow_grpc.engine.executor import RunExecutor
from meshflow_grpc.engine.run_progress import RunProgress
from meshflow_grpc.kernel.state import RunContext, Step
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.unit.engine.conftest import ALICE, World, make_world
from tests.unit.engine.gated import POLICY, PUBLISH

HELD = (RunExecutor, RunProgress, ActiveRun, RunContext, Step)


def _held() -> Counter[str]:
    gc.collect()
    return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, HELD))


async def test_paused_runs_leave_nothing_in_the_process(world: World) -> None:
    """No task, no executor, no progress, no context: before the first pause and after three hundred it is the same."""
    await world.run(workflow_yaml=PUBLISH, policy=POLICY)
    tasks, held = len(asyncio.all_tasks()), _held()

    runs = [await world.run(workflow_yaml=PUBLISH, policy=POLICY) for _ in range(300)]

    assert {run.status.value for run in runs} == {"paused"}
    assert (len(asyncio.all_tasks()), _held()) == (tasks, held)
    assert world.runtime.engine.in_flight == 0


async def test_a_restart_reads_no_paused_run() -> None:
    """Recovery takes up none of them; an approval reads its own run alone."""

    class Counting(MemoryStorage):
        """Notes whose entries are read."""

        def __init__(self) -> None:
            super().__init__()
            self.read: list[str] = []

        async def entries(self, tenant_id: str, run_id: str, **bounds: Any) -> tuple[LedgerEntry, ...]:
            self.read.append(run_id)
            return await super().entries(tenant_id, run_id, **bounds)

    storage = Counting()
    before = make_world(storage=storage)
    runs = [await before.run(workflow_yaml=PUBLISH, policy=POLICY) for _ in range(50)]
    storage.read.clear()

    after = make_world(storage=storage)
    assert await after.runtime.engine.recover() == 0
    assert storage.read == []
    chosen = runs[17]
    assert chosen.pending_approval is not None
    await after.runtime.commands.decide_approval.execute(
        ALICE, chosen.pending_approval.approval_id, decision="approve", comment="", expected_action_digest=None
    )
    done = await after.runtime.commands.wait_run.execute(ALICE, chosen.run_id, timeout_s=10)
    assert done.status.value == "completed"
    assert set(storage.read) == {chosen.run_id}


@pytest.mark.parametrize("shape", ["chain", "loop"])
async def test_what_a_step_records_does_not_grow_with_the_run(shape: str) -> None:
    """The last entries of a run of 400 steps are as large as the first ones: entries are deltas."""
    policy = {"max_steps": 1000}
    if shape == "chain":
        nodes = "\n".join(f"  n{i:03}: {{role: EXECUTOR}}" for i in range(400))
        edges = "\n".join(f"  - n{i:03} -> n{i + 1:03}" for i in range(399))
        text = f"name: long\nentry: n000\nnodes:\n{nodes}\nedges:\n{edges}\n"
    else:
        text = (
            "name: long\nentry: n000\nnodes: {n000: {role: EXECUTOR}}\n"
            "edges: [{from: n000, to: n000, condition: 'iteration < 400', max_iterations: 500}]\n"
        )
    world = make_world()
    run = await world.run(workflow_yaml=text, policy=policy)
    entries = [e for e in await world.entries(run.run_id) if e.kind.value == "step_committed"]

    assert (run.status.value, len(entries)) == ("completed", 400)
    sizes = [len(e.record) + len(e.input or "") + len(e.output or "") for e in entries]
    assert sum(sizes[-50:]) < 1.05 * sum(sizes[5:55])
