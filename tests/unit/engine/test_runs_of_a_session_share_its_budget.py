"""Concurrent runs of one session, with retries that are billed and kills in between, never spend more than the session's budget."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.app import RuntimeOptions
from meshflow_grpc.domain.conversation import ConversationBounds
from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import CancelReason, Run, RunRequest, RunStatus
from meshflow_grpc.domain.usage import MAX_SEQ, SessionUse, Usage, nano_usd
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.ids import SequentialIds
from tests.fakes.providers import FakeProvider, gate
from tests.session_peak import peak_nano_usd
from tests.unit.engine.conftest import ALICE, NO_WAIT, World, make_world
from tests.unit.engine.test_two_hundred_branches_share_one_budget import BillingProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.stored_row import LogRow

RUNS = 200
UNTOLD = RuntimeOptions(conversation=ConversationBounds(turns=0))
ONE = "name: one\nnodes:\n  b{n}: {{kind: agent, max_output_tokens: 10}}\nedges:\n  - START -> b{n}\n"
TWO = """
name: two
nodes:
  first: {kind: agent, max_output_tokens: 10}
  second: {kind: agent, max_output_tokens: 10}
edges: [START -> first, first -> second]
"""


async def session_of_many(world: World, budget_usd: float) -> list[Run]:
    """Two hundred runs at once in one session."""
    policy = {"session_budget_usd": budget_usd, "budget_usd": 1.0}
    return await asyncio.gather(
        *(world.run(workflow_yaml=ONE.format(n=n), policy=policy, session_id="s") for n in range(RUNS))
    )


async def all_rows(world: World) -> AsyncIterator[LogRow]:
    """Every entry, in the ledger's order."""
    async with world.storage.raw_log() as log:
        async for page in log.pages:
            for row in page:
                yield row


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
async def test_two_hundred_runs_are_billed_within_the_sessions_budget(share: float) -> None:
    """Runs that no longer fit are blocked and say so; the ledger's total is what was billed."""
    free = make_world(BillingProvider())
    await session_of_many(free, 100.0)
    assert isinstance(free.provider, BillingProvider)
    budget = free.provider.billed * share / 1e9
    provider = BillingProvider()
    world = make_world(provider)

    runs = await session_of_many(world, budget)

    refused = [run for run in runs if run.status is not RunStatus.COMPLETED]
    assert refused
    assert all("session_budget_usd" in (run.reason or "") for run in refused)
    assert provider.billed <= nano_usd(budget)
    assert peak_nano_usd([row.record async for row in all_rows(world)]) <= nano_usd(budget)
    assert await world.storage.session_use("acme", "s") == SessionUse(provider.billed, 0)
    assert world.runtime.engine._parts.contexts._sessions._accounts == {}


async def test_a_budget_for_exactly_all_of_it_is_enough() -> None:
    """Nobody is refused for what another run only reserved."""
    free = make_world(BillingProvider())
    await session_of_many(free, 100.0)
    assert isinstance(free.provider, BillingProvider)
    world = make_world(BillingProvider())

    runs = await session_of_many(world, free.provider.billed / 1e9)

    assert {run.status for run in runs} == {RunStatus.COMPLETED}


async def test_a_blocked_run_keeps_its_output_and_names_the_least_sufficient_number() -> None:
    """With that number the same request goes through; what earlier runs of the session spent counts."""
    world = make_world(options=UNTOLD)
    first = await world.run(workflow_yaml=TWO, session_id="s")
    limit = (first.usage.cost_nano_usd + 70_000) / 1e9
    blocked = await world.run(workflow_yaml=TWO, session_id="s", policy={"session_budget_usd": limit})

    assert (blocked.status, blocked.blocked_by, blocked.output) == (RunStatus.BLOCKED, "budget_check", "first done")
    told = blocked.reason or ""
    assert f"of session_budget_usd=${limit}" in told
    enough = float(told.rpartition("raise policy.session_budget_usd to at least ")[2])
    for number, status in ((enough, RunStatus.COMPLETED), (enough - 1e-9, RunStatus.BLOCKED)):
        world = make_world(options=UNTOLD)
        await world.run(workflow_yaml=TWO, session_id="s")
        again = await world.run(workflow_yaml=TWO, session_id="s", policy={"session_budget_usd": number})
        assert again.status is status


async def test_other_sessions_and_tenants_are_apart() -> None:
    """A spent session stops nobody else."""
    world = make_world()
    await world.run(session_id="spent")
    policy = {"session_budget_usd": 0.02}

    assert (await world.run(session_id="other", policy=policy)).status is RunStatus.COMPLETED
    assert (await world.run(session_id="spent", policy={"session_budget_usd": 0.0})).status is RunStatus.BLOCKED


async def test_a_session_budget_without_a_session_is_refused() -> None:
    """There would be nothing to hold it against."""
    with pytest.raises(InvalidRequestError, match="session_id: is required"):
        await make_world().run(policy={"session_budget_usd": 1.0})


async def test_reservations_are_durable_before_the_call() -> None:
    """When the model is called, the ledger shows what the step may cost."""
    line, started, release = gate()
    world = make_world(FakeProvider({"researcher": [line]}))
    run = await create(world, 1.0)
    await started.wait()
    use = await world.storage.session_use("acme", "s")
    (reserved,) = [e for e in await world.entries(run.run_id) if e.kind is EntryKind.BUDGET_RESERVED]
    release.set()
    ended = await world.runtime.commands.wait_run.execute(ALICE, run.run_id, timeout_s=30)

    assert use.spent_nano_usd == 0
    assert use.reserved_nano_usd == reserved.facts["worst_case"]["cost_nano_usd"] > 0  # type: ignore[index,call-overload]
    assert await world.storage.session_use("acme", "s") == SessionUse(ended.usage.cost_nano_usd, 0)
    assert await world.runtime.commands.verify_run.execute(ALICE, run.run_id)


async def create(world: World, budget_usd: float, **fields: object) -> Run:
    """Starts a run in the session."""
    request = RunRequest(task="tides", session_id="s", policy={"session_budget_usd": budget_usd, **NO_WAIT, **fields})
    return await world.runtime.commands.create_run.execute(ALICE, request)


class KilledStorage(MemoryStorage):
    """A ledger that a killed process writes no more: from ``dead`` on appends never return."""

    dead = False

    async def append(
        self, run_id: str, drafts: Sequence[EntryDraft], change: RunChange | None = None
    ) -> tuple[LedgerEntry, ...]:
        """Hangs once dead."""
        if self.dead:
            await asyncio.Event().wait()
        return await super().append(run_id, drafts, change)


async def killed_in_the_call(runs: int) -> KilledStorage:
    """The ledger of a process that was killed while each run was in its first model call."""
    storage = KilledStorage()
    gates = [gate() for _ in range(runs)]
    world = make_world(FakeProvider({"researcher": [line for line, _, _ in gates]}), storage=storage)
    for _, started, _ in gates:
        await create(world, 1.0)
        await started.wait()
    storage.dead = True
    tasks = set(world.runtime.engine._tasks)
    for task in tasks:
        task.cancel()
    await asyncio.sleep(0)
    storage.dead = False
    return storage


async def test_what_a_killed_process_may_have_spent_is_charged() -> None:
    """Its calls may be billed: the resumed runs are charged their reservations, and the session never forgets them."""
    storage = await killed_in_the_call(3)
    left_open = (await storage.session_use("acme", "s")).reserved_nano_usd
    world = make_world(storage=storage, ids=SequentialIds())
    before = await world.runtime.commands.check_run.execute(
        ALICE, RunRequest(task="tides", session_id="s", policy={"session_budget_usd": left_open / 1e9})
    )
    await world.runtime.engine.recover()
    runs = [
        await world.runtime.commands.wait_run.execute(ALICE, run.run_id, timeout_s=30)
        for run in await storage.unfinished_runs()
    ]

    assert left_open > 0
    assert f"only $0 of session_budget_usd=${left_open / 1e9}" in " ".join(v.description for v in before.violations)
    assert {run.status for run in runs} == {RunStatus.COMPLETED}
    spent_again = sum(len(r.prompt) * 1_000 + len(f"{r.agent_id} done") * 2_000 for r in world.provider.requests)
    assert await storage.session_use("acme", "s") == SessionUse(left_open + spent_again, 0)
    for run in runs:
        assert await world.runtime.commands.verify_run.execute(ALICE, run.run_id)
        assert run == await world.runtime.commands.get_run.execute(ALICE, run.run_id)


async def test_after_a_kill_the_budget_still_holds() -> None:
    """What was reserved when the process died is not there for anyone else."""
    storage = await killed_in_the_call(2)
    left_open = (await storage.session_use("acme", "s")).reserved_nano_usd
    world = make_world(storage=storage, ids=SequentialIds(start=100))

    run = await world.run(session_id="s", policy={"session_budget_usd": left_open / 1e9})

    assert (run.status, run.blocked_by, world.provider.requests) == (RunStatus.BLOCKED, "budget_check", [])


async def test_a_cancelled_call_is_charged_in_full() -> None:
    """The provider may bill what it had begun."""
    line, started, _ = gate()
    world = make_world(FakeProvider({"researcher": [line]}))
    run = await create(world, 1.0)
    await started.wait()
    reserved = (await world.storage.session_use("acme", "s")).reserved_nano_usd
    active = world.runtime.engine.active(run.run_id)
    assert active is not None
    active.cancel(CancelReason.REQUEST)
    ended = await world.runtime.commands.wait_run.execute(ALICE, run.run_id, timeout_s=30)

    assert (ended.status, ended.usage.cost_nano_usd) == (RunStatus.CANCELLED, reserved)
    assert await world.storage.session_use("acme", "s") == SessionUse(reserved, 0)


class OtherServer(MemoryStorage):
    """A ledger in which another server reserves at the same time, once."""

    async def session_use(self, tenant_id: str, session_id: str, *, up_to_seq: int = MAX_SEQ) -> SessionUse:
        """Adds the other server's reservation to what is here."""
        use = await super().session_use(tenant_id, session_id, up_to_seq=up_to_seq)
        return SessionUse(use.spent_nano_usd, use.reserved_nano_usd + 10**9 * bool(use.reserved_nano_usd))


async def test_what_another_server_reserved_meanwhile_counts() -> None:
    """The ledger is asked after the reservation is in it: the step that no longer fits does not call its model."""
    world = make_world(storage=OtherServer())
    run = await world.run(session_id="s", policy={"session_budget_usd": 1.0})

    assert (run.status, world.provider.requests) == (RunStatus.BLOCKED, [])
    assert "of session_budget_usd=$1 is left" in (run.reason or "")
    assert run.usage == Usage()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
async def test_servers_that_share_a_ledger_share_the_budget(share: float) -> None:
    """Two hundred runs on three servers: what one has not heard of is in the ledger; who reserved first goes on."""
    free = make_world(BillingProvider())
    await session_of_many(free, 100.0)
    assert isinstance(free.provider, BillingProvider)
    budget = free.provider.billed * share / 1e9
    provider, storage = BillingProvider(), MemoryStorage()
    servers = [make_world(provider, storage, ids=SequentialIds(1_000 * n)) for n in range(3)]
    policy = {"session_budget_usd": budget, "budget_usd": 1.0}

    runs = await asyncio.gather(
        *(servers[n % 3].run(workflow_yaml=ONE.format(n=n), policy=policy, session_id="s") for n in range(RUNS))
    )

    assert {run.status is RunStatus.COMPLETED for run in runs} == {True, False}
    assert provider.billed <= nano_usd(budget)
    assert (await storage.session_use("acme", "s")).total_nano_usd == provider.billed


async def test_runs_without_a_session_budget_write_no_reservations() -> None:
    """The second write is paid only by who asks for it."""
    world = make_world()
    run = await world.run(session_id="s")

    assert EntryKind.BUDGET_RESERVED not in {e.kind for e in await world.entries(run.run_id)}
