"""Several processes on one PostgreSQL ledger: one chain per run, one log, and no run in two hands."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest

from meshflow_grpc.commands.verify_log import verify_log
from meshflow_grpc.domain.errors import LedgerUnavailableError, RequestIdReusedError, RunConflictError, RunFencedError
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.postgres.connection import PoolOptions
from meshflow_grpc.storage.postgres.signals import MAX_PAYLOAD, payloads
from meshflow_grpc.storage.postgres.storage import PostgresStorage
from tests.conformance.drafts import TENANT, finished, new_run, started, step, verified
from tests.fakes.log_keys import KEYS, publisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.storage.postgres.leases import PostgresLeases
    from tests.postgres_cluster import PostgresCluster

pytestmark = pytest.mark.postgres
TTL_S = 5.0
SMALL = PoolOptions(1, 2)


@asynccontextmanager
async def server(url: str) -> AsyncIterator[tuple[PostgresStorage, PostgresLeases]]:
    """A store as a server has it, with a lease."""
    storage = await PostgresStorage.open(url, SMALL)
    leases = storage.leases(TTL_S)
    await leases.renew()
    try:
        yield storage, leases
    finally:
        await leases.leave()
        await storage.close()


async def expire(url: str, *owners: str) -> None:
    """Plays that these servers, or all, were silent for longer than their lease."""
    connection = await asyncpg.connect(url)
    # Just after the database's start no lease counts as expired.
    await connection.execute("SELECT pg_sleep_until(pg_postmaster_start_time() + interval '5.1 seconds')")
    await connection.execute(
        "UPDATE servers SET expires_at = now() - interval '1 second' WHERE $1::text[] = '{}' OR owner = ANY($1)",
        list(owners),
    )
    await connection.close()


async def owner_of(url: str, run_id: str) -> str | None:
    """Whose a run is, as its row says."""
    connection = await asyncpg.connect(url)
    found: str | None = await connection.fetchval("SELECT owner FROM runs WHERE run_id = $1", run_id)
    await connection.close()
    return found


async def test_concurrent_appends_of_several_writers_make_one_valid_log(postgres: PostgresCluster) -> None:
    """Four writers, forty runs side by side, heads published by all of them: nothing lost, nothing doubled, no false alarm."""
    url = postgres.new_database()
    stores = [await PostgresStorage.open(url, SMALL) for _ in range(4)]
    logs = [publisher(store) for store in stores]
    for log in logs:
        await log.open()

    async def drive(number: int) -> None:
        store, run_id = stores[number % 4], f"run_{number:03}"
        await store.create_run(new_run(run_id), started(run_id), "f")
        for place in range(1, 20):
            await store.append(run_id, (step(run_id, place),))
            if place % 5 == 0:
                await logs[number % 4].publish()

    await asyncio.gather(*map(drive, range(40)))
    heads = await asyncio.gather(*(log.publish() for log in logs))
    found, runs = await verify_log(stores[0], KEYS.verifiers)

    assert {head.size for head in heads} == {40 * 20}
    assert found.valid, found
    assert len(runs) == 40
    assert all([await verified(stores[0], run_id, TENANT) for _, run_id in runs])
    for store in stores:
        await store.close()


async def test_one_request_sent_to_two_servers_at_once_is_one_run(postgres: PostgresCluster) -> None:
    """Whichever is first makes it; the other answers with the same run. Another request under the id is refused."""
    url = postgres.new_database()
    async with server(url) as (first, _), server(url) as (second, _):
        for number in range(20):
            ids = (f"run_a{number}", f"run_b{number}")
            made = await asyncio.gather(
                *(
                    store.create_run(new_run(run_id)._replace(request_id=f"req-{number}"), started(run_id), "f")
                    for store, run_id in zip((first, second), ids, strict=True)
                )
            )
            assert sorted(each.created for each in made) == [False, True]
            assert len({each.run.run_id for each in made}) == 1
        with pytest.raises(RequestIdReusedError):
            await second.create_run(new_run("run_c")._replace(request_id="req-1"), started("run_c"), "other")


async def test_a_run_of_a_silent_server_is_taken_up_and_the_server_is_fenced(postgres: PostgresCluster) -> None:
    """What the old one appends afterwards is refused whole, and its neighbours in the batch are written."""
    url = postgres.new_database()
    async with server(url) as (old, old_leases), server(url) as (new, new_leases):
        await old.create_run(new_run("run_1"), started("run_1"), "f")
        assert await new_leases.claim_orphans(10) == await new_leases.orphans(10) == ()
        owner = await owner_of(url, "run_1")
        await expire(url, owner or "")
        assert [run.run_id for run in await new_leases.claim_orphans(10, ["run_1"])] == []
        assert [run.run_id for run in await new_leases.orphans(10)] == ["run_1"]
        assert await new_leases.orphans(10, ["run_1"]) == ()
        assert await owner_of(url, "run_1") == owner
        assert [run.run_id for run in await new_leases.claim_orphans(10)] == ["run_1"]
        await new.append("run_1", (step("run_1", 1),))

        await old_leases.renew()
        fenced = old.append("run_1", (step("run_1", 2),))
        made, refused = await asyncio.gather(
            old.create_run(new_run("run_2"), started("run_2"), "f"), fenced, return_exceptions=True
        )
        assert isinstance(refused, RunFencedError)
        assert not isinstance(made, BaseException)
        assert await old_leases.lost(["run_1", "run_2"]) <= {"run_1"}
        with pytest.raises(RunFencedError):
            await old.append("run_1", (step("run_1", 2),))
        await new.append("run_1", (finished("run_1"),), RunChange(status=RunStatus.COMPLETED, output="x"))

        assert len(await old.entries(TENANT, "run_1")) == 3
        assert await owner_of(url, "run_1") is None
        assert await verified(new, "run_1", TENANT)


async def test_a_server_whose_run_ended_elsewhere_is_told_that_it_lost_it(postgres: PostgresCluster) -> None:
    """Not that the run has ended, as if it had asked for too much; and once it is known, that."""
    url = postgres.new_database()
    async with server(url) as (old, _), server(url) as (new, new_leases):
        await old.create_run(new_run("run_1"), started("run_1"), "f")
        await expire(url, await owner_of(url, "run_1") or "")
        await new_leases.claim_orphans(10)
        await new.append("run_1", (finished("run_1"),), RunChange(status=RunStatus.COMPLETED, output="x"))

        with pytest.raises(RunFencedError):
            await old.append("run_1", (step("run_1", 1),))
        with pytest.raises(RunConflictError):
            await old.append("run_1", (step("run_1", 1),))


async def test_a_server_confirms_its_runs_before_it_goes_on(postgres: PostgresCluster) -> None:
    """One that was silent for too long asks, and is told that the run is not its own any more."""
    url = postgres.new_database()
    async with server(url) as (old, old_leases), server(url) as (_, new_leases):
        await old.create_run(new_run("run_1"), started("run_1"), "f")
        await old_leases.confirm("run_1")
        await expire(url, await owner_of(url, "run_1") or "")
        await new_leases.claim_orphans(10)
        with pytest.raises(RunFencedError):
            await old_leases.confirm("run_1")


async def test_a_paused_run_is_nobodys_until_one_claims_it(postgres: PostgresCluster) -> None:
    """Of two that want to decide about it one does; given back, the other may."""
    url = postgres.new_database()
    async with server(url) as (first, first_leases), server(url) as (second, second_leases):
        await first.create_run(new_run("run_1"), started("run_1"), "f")
        assert not await second_leases.claim("run_1")
        await first.append("run_1", (step("run_1", 1),), RunChange(status=RunStatus.PAUSED))
        assert await owner_of(url, "run_1") is None

        assert await second_leases.claim("run_1")
        assert not await first_leases.claim("run_1")
        with pytest.raises(RunFencedError):
            await first.append("run_1", (step("run_1", 2),))
        await second_leases.give_back("run_1")
        assert await first_leases.claim("run_1")
        await first.append("run_1", (step("run_1", 2),), RunChange(status=RunStatus.RUNNING))
        with pytest.raises(RunFencedError):
            await second.append("run_1", (step("run_1", 3),))


async def test_a_server_that_leaves_hands_its_runs_over_at_once(postgres: PostgresCluster) -> None:
    """Running runs are free the moment it is gone; it says so."""
    url = postgres.new_database()
    duty = asyncio.Event()
    async with server(url) as (_, stays):
        stays.listen(lambda _: None, duty.set)
        async with server(url) as (leaves, _):
            await leaves.create_run(new_run("run_1"), started("run_1"), "f")
            duty.clear()
        async with asyncio.timeout(60):
            await duty.wait()
        assert [run.run_id for run in await stays.claim_orphans(10)] == ["run_1"]


async def test_runs_of_a_process_that_is_no_server_are_left_to_it(postgres: PostgresCluster) -> None:
    """No server takes them up, and the process that is about one run keeps others off it."""
    url = postgres.new_database()
    async with server(url) as (_, leases):
        only = replace(SMALL, only_run="run_1")
        process = await PostgresStorage.open(url, only)
        await process.create_run(new_run("run_1"), started("run_1"), "f")
        assert await leases.claim_orphans(10) == ()
        assert not await leases.claim("run_1")
        with pytest.raises(LedgerUnavailableError, match="another process continues run 'run_1'"):
            await PostgresStorage.open(url, only)
        await process.append("run_1", (step("run_1", 1),))
        await process.close()
        await (await PostgresStorage.open(url, only)).close()


async def test_what_one_writes_the_other_hears_of(postgres: PostgresCluster) -> None:
    """The run ids of others' batches, and cancellations, without waiting for a poll."""
    url = postgres.new_database()
    heard: asyncio.Queue[object] = asyncio.Queue()
    async with server(url) as (first, first_leases), server(url) as (_, second_leases):
        second_leases.listen(lambda runs: [heard.put_nowait(run) for run in runs] and None, lambda: None)
        await first_leases.renew()
        await first.create_run(new_run("run_1"), started("run_1"), "f")
        async with asyncio.timeout(60):
            assert await heard.get() == "run_1"
        first_leases.listen(lambda _: None, lambda: heard.put_nowait("duty"))
        assert await second_leases.request_cancel("run_1", "why not")
        async with asyncio.timeout(60):
            assert await heard.get() == "duty"
        assert await first_leases.cancellations() == {"run_1": "why not"}
        assert await second_leases.cancellations() == {}
        await first.append("run_1", (finished("run_1"),), RunChange(status=RunStatus.CANCELLED))
        assert await first_leases.cancellations() == {}


def test_names_of_many_runs_are_told_in_pieces_that_fit() -> None:
    """None is lost, and no piece is larger than the database takes."""
    names = [f"run_{number:036}" for number in range(1000)]
    pieces = list(payloads(names))

    assert " ".join(pieces).split() == names
    assert max(map(len, pieces)) <= MAX_PAYLOAD
    assert list(payloads([])) == []
