"""The PostgreSQL store when the database goes away, comes back, or belongs to someone else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from meshflow_grpc.domain.errors import EntryAlreadyRecordedError, LedgerUnavailableError
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.storage.postgres import connection as connection_module
from meshflow_grpc.storage.postgres.connection import PoolOptions
from meshflow_grpc.storage.postgres.storage import PostgresStorage
from tests.conformance.drafts import TENANT, finished, new_run, started, step, verified
from tests.postgres_cluster import PostgresCluster, postgres_cluster

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresCluster]:
    """A server of this module's own, to be stopped and started."""
    with postgres_cluster() as own:
        yield own


async def appended(storage: PostgresStorage, run_id: str, place: int) -> bool:
    """Appends until the database takes it or says that it has it; returns whether it was ever refused."""
    refused = False
    while True:
        try:
            await storage.append(run_id, (step(run_id, place),))
        except LedgerUnavailableError:
            refused = True
            await asyncio.sleep(0.02)
        except EntryAlreadyRecordedError:
            # The commit arrived although its answer did not.
            return True
        else:
            return refused


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_when_the_server_crashes_under_load(cluster: PostgresCluster) -> None:
    """Stopped at once in the middle of 20 runs' appends, and started again: the store recovers by itself."""
    storage = await PostgresStorage.open(cluster.new_database())
    runs = [f"run_{number:03}" for number in range(20)]
    for run_id in runs:
        await storage.create_run(new_run(run_id), started(run_id), "f")

    async def drive(run_id: str) -> bool:
        return any([await appended(storage, run_id, place) for place in range(1, 40)])

    driven = [asyncio.create_task(drive(run_id)) for run_id in runs]
    await asyncio.sleep(0)
    await asyncio.to_thread(cluster.stop)
    with pytest.raises(LedgerUnavailableError):
        await storage.ping()
    await asyncio.to_thread(cluster.start)
    refused = await asyncio.gather(*driven)

    assert any(refused)
    for run_id in runs:
        assert len(await storage.entries(TENANT, run_id)) == 40
        assert await verified(storage, run_id, TENANT)
    await storage.close()


async def test_a_second_server_on_the_ledger_is_refused_and_may_take_over(cluster: PostgresCluster) -> None:
    """The lock goes with the connection that writes."""
    url = cluster.new_database()
    first = await PostgresStorage.open(url)
    with pytest.raises(LedgerUnavailableError, match="another server writes this ledger"):
        await PostgresStorage.open(url)
    reader = await PostgresStorage.open_read_only(url)
    with pytest.raises(LedgerUnavailableError, match="reading only"):
        await reader.append("run_1", (step("run_1", 1),))
    await reader.close()
    await first.close()

    await (await PostgresStorage.open(url)).close()


async def test_text_that_postgres_cannot_hold_is_kept(cluster: PostgresCluster) -> None:
    """U+0000 in the output of a run, which text columns refuse."""
    storage = await PostgresStorage.open(cluster.new_database())
    await storage.create_run(new_run("run_1"), started("run_1"), "f")
    end = RunChange(status=RunStatus.COMPLETED, output="a\0b \U0001f600", reason="\0")
    await storage.append("run_1", (finished("run_1"),), end)
    run = await storage.get_run(TENANT, "run_1")

    assert (run.output, run.reason) == ("a\0b \U0001f600", "\0")
    assert await verified(storage, "run_1", TENANT)
    await storage.close()


async def test_a_newer_schema_or_none_is_refused(cluster: PostgresCluster) -> None:
    """By readers and writers; nothing is changed."""
    url = cluster.new_database()
    with pytest.raises(LedgerUnavailableError, match="holds no ledger"):
        await PostgresStorage.open_read_only(url)
    await (await PostgresStorage.open(url)).close()
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO meshflow_migrations (version) VALUES (9999)")
    await connection.close()
    with pytest.raises(LedgerUnavailableError, match="newer than this program"):
        await PostgresStorage.open(url)


async def test_tampering_is_found(cluster: PostgresCluster) -> None:
    """An output changed with SQL names its entry."""
    url = cluster.new_database()
    storage = await PostgresStorage.open(url)
    await storage.create_run(new_run("run_1"), started("run_1"), "f")
    await storage.append("run_1", (step("run_1", 1),))
    connection = await asyncpg.connect(url)
    await connection.execute("""UPDATE ledger_entries SET output = '{"tampered": true}' WHERE seq = 2""")
    await connection.close()
    result = await verified(storage, "run_1", TENANT)

    assert not result
    assert [(fault.sequence, fault.node_id) for fault in result.faults] == [(2, "node_1")]
    await storage.close()


async def test_an_unreachable_database_is_told_without_its_address() -> None:
    """No host, user or password in the message."""
    with pytest.raises(LedgerUnavailableError, match="cannot be reached") as refused:
        await open_storage("postgresql://alice:hunter2@127.0.0.1:1/ledger")

    assert "hunter2" not in str(refused.value)
    assert "alice" not in str(refused.value)


async def test_an_exhausted_pool_is_told_and_passes(cluster: PostgresCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every reading connection lent, a read is refused after a bound with the limit and a time to come back; appends go on."""
    monkeypatch.setattr(connection_module, "POOL_WAIT_S", 0.1)
    storage = await PostgresStorage.open(cluster.new_database(), PoolOptions(min_size=1, max_size=1))
    await storage.create_run(new_run("run_1"), started("run_1"), "f")
    async with storage.raw_chain(TENANT, "run_1"):
        for read in (storage.get_run(TENANT, "run_1"), storage.newest_head(), storage.merkle_nodes([(0, 0)])):
            with pytest.raises(LedgerUnavailableError, match="MESHFLOW_PG_POOL_MAX") as refused:
                await read
            assert refused.value.retry_after_s
            assert refused.value.metadata == {"cause": "POOL_EXHAUSTED", "limit": "1"}
        await storage.append("run_1", (step("run_1", 1),))
    assert (await storage.get_run(TENANT, "run_1")).entries == 2
    await storage.close()
