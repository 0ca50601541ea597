"""Whatever is killed and however often, a run is never billed more than its budget: what a killed call may have cost is charged."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshflow_grpc.domain.approval import Decision
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
from meshflow_grpc.domain.usage import nano_usd
from meshflow_grpc.engine.gates import Review
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, World, make_world
from tests.unit.engine.test_agents_call_tools_as_steps import agent, calls, world_of
from tests.unit.engine.test_runs_of_a_session_share_its_budget import TWO, KilledStorage
from tests.unit.engine.test_two_hundred_branches_share_one_budget import BillingProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ports.provider import ModelReply, ModelRequest

BRANCHES = 7
NODES = "\n".join(f"  b{n}: {{kind: agent, max_output_tokens: 10}}" for n in range(BRANCHES))
EDGES = "\n".join(f"  - START -> b{n}\n  - b{n} -> b100" for n in range(BRANCHES))
WORKFLOW = f"name: wide\nnodes:\n{NODES}\n  b100: {{kind: agent, max_output_tokens: 10}}\nedges:\n{EDGES}\n"


class KillingProvider(BillingProvider):
    """Bills each call when it begins; the process is killed in the call that ``calls_left`` comes to."""

    def __init__(self) -> None:
        super().__init__()
        self.calls_left = 0
        self.killed = asyncio.Event()

    async def complete(self, request: ModelRequest, on_delta: Callable[[str], None] | None = None) -> ModelReply:
        """Answers, or never again."""
        self.calls_left -= 1
        if self.calls_left == 0:
            self.killed.set()
        reply = await super().complete(request, on_delta)
        if self.killed.is_set():
            await asyncio.Event().wait()
        return reply


async def killed(world: World, storage: KilledStorage) -> None:
    """Nothing of the process is written from here on, and nothing of it goes on."""
    storage.dead = True
    tasks = set(world.runtime.engine._tasks)
    for task in tasks:
        task.cancel()
    for _ in range(50):  # each comes to what it would write
        await asyncio.sleep(0)
    storage.dead = False


async def lives(budget: float, kills: list[int]) -> tuple[Run, KillingProvider, KilledStorage]:
    """A run that is killed in those calls, counted from each start, and then left alone."""
    storage, provider = KilledStorage(), KillingProvider()
    request = RunRequest(task="tides", workflow_yaml=WORKFLOW, policy={"budget_usd": budget, "max_steps": 100})
    run_id = ""
    for life, calls_left in enumerate([*kills, 0]):
        provider.calls_left, provider.killed = calls_left, asyncio.Event()
        world = make_world(provider, storage, ids=SequentialIds(1_000 * life))
        if run_id:
            await world.runtime.engine.recover()
        else:
            run_id = (await world.runtime.commands.create_run.execute(ALICE, request)).run_id
        ended = asyncio.ensure_future(world.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=30))
        end = asyncio.ensure_future(provider.killed.wait())
        await asyncio.wait((ended, end), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            end.cancel()
            return await ended, provider, storage
        ended.cancel()
        await killed(world, storage)
    raise AssertionError("the last life is not killed")


@functools.cache
def bill_of_all() -> int:
    """What the run is billed when nothing is killed, nano-USD."""
    return asyncio.run(lives(100.0, []))[1].billed


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 2.0), st.lists(st.integers(1, 12), max_size=4))
def test_what_is_billed_over_all_lives_stays_within_the_budget(share: float, kills: list[int]) -> None:
    """Parallel branches, billed failures with retries, and kills; the run ends, and its totals are no less than its bill."""
    budget = bill_of_all() * share / 1e9

    run, provider, _ = asyncio.run(lives(budget, kills))

    assert run.status.ended
    assert provider.billed <= nano_usd(budget)
    assert provider.billed <= run.usage.cost_nano_usd <= nano_usd(budget)


async def killed_in_the_first_call() -> tuple[KilledStorage, str, int]:
    """The ledger of a process killed while the first agent was called, the run, and the most that call may have cost."""
    storage = KilledStorage()
    line, started, _ = gate()
    world = make_world(FakeProvider({"first": [line]}), storage)
    run = await world.runtime.commands.create_run.execute(ALICE, RunRequest(task="tides", workflow_yaml=TWO))
    await started.wait()
    (request,) = world.provider.requests
    await killed(world, storage)
    return storage, run.run_id, 1_000 * (len(request.system) + len(request.prompt)) + 2_000 * request.max_output_tokens


async def test_the_resumption_says_what_it_charges() -> None:
    """run_resumed states it, the run's totals hold it, and everything verifies."""
    storage, run_id, worst = await killed_in_the_first_call()
    world = make_world(storage=storage, ids=SequentialIds(100))
    await world.runtime.engine.recover()
    run = await world.runtime.commands.wait_run.execute(ALICE, run_id, timeout_s=30)

    (resumed,) = [e for e in await world.entries(run_id) if e.kind is EntryKind.RUN_RESUMED]
    charged = resumed.facts["charged"]
    assert isinstance(charged, dict)
    assert charged["cost_nano_usd"] == worst
    spent_again = sum(len(r.prompt) * 1_000 + len(f"{r.agent_id} done") * 2_000 for r in world.provider.requests)
    assert (run.status, run.usage.cost_nano_usd) == (RunStatus.COMPLETED, worst + spent_again)
    assert run == await world.runtime.commands.get_run.execute(ALICE, run_id)
    assert await world.runtime.commands.verify_run.execute(ALICE, run_id)


@pytest.mark.parametrize("wait_first", [True, False])
async def test_a_run_that_waited_for_a_human_is_charged_nothing(wait_first: bool) -> None:
    """No call was under way: neither before the decision nor between it and the restart."""
    gated = TWO.replace("second: {kind: agent,", "second: {kind: agent, risk: external_io,")
    policy = {"human_in_loop": {"enabled": True, "tier_threshold": RiskTier.EXTERNAL_IO}}
    storage = KilledStorage()
    world = make_world(storage=storage)
    paused = await world.run(workflow_yaml=gated, policy=policy)
    assert paused.status is RunStatus.PAUSED
    await killed(world, storage)
    again = make_world(storage=storage, ids=SequentialIds(100))
    if wait_first:
        await again.runtime.engine.recover()
    assert paused.pending_approval is not None
    review = Review(Decision.APPROVE, Principal("bob", "acme", method="test"))
    await again.runtime.gates.decide("acme", paused.pending_approval.approval_id, review)
    run = await again.runtime.commands.wait_run.execute(ALICE, paused.run_id, timeout_s=30)

    resumed = [e for e in await again.entries(run.run_id) if e.kind is EntryKind.RUN_RESUMED]
    assert run.status is RunStatus.COMPLETED
    assert resumed
    assert all("charged" not in entry.facts for entry in resumed)


async def test_further_calls_of_a_step_are_reserved_in_the_ledger() -> None:
    """The call after a tool's answer is announced with all that the step may have cost by its end; the first call needs no entry."""
    world, _ = world_of(calls(("echo", {"text": "hi", "times": 2})), "the end")
    run = await world.run(workflow_yaml=agent("echo"))

    reserved = [e for e in await world.entries(run.run_id) if e.kind is EntryKind.BUDGET_RESERVED]
    assert [e.step_id for e in reserved] == ["a#1$2"]
    worst = reserved[0].facts["worst_case"]
    assert isinstance(worst, dict)
    assert worst["cost_nano_usd"] > run.usage.cost_nano_usd
