"""Under policy.immutable_audit the database itself refuses to change or delete a run; an erasure that is recorded passes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

import asyncpg
import pytest

from meshflow_grpc.ledger.erasure import new_erasure
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.drafts import ENDED, STEP_USAGE, TENANT, create, finished, step, time_of, verified, whole_run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshflow_grpc.ports.storage import Storage
    from tests.postgres_cluster import PostgresCluster

IMMUTABLE = {"budget_usd": 0.5, "immutable_audit": True}
# A rule may quote the very text that marks an immutable run.
QUOTING = {"immutable_audit": False, "rules": [{"expression": '"immutable_audit":true'}]}
FORBIDDEN = [
    "UPDATE ledger_entries SET output = 'tampered' WHERE run_id = 'run_1' AND sequence = 2",
    "UPDATE ledger_entries SET input = NULL, output = NULL, input_salt = NULL, output_salt = NULL WHERE run_id = 'run_1'",
    "UPDATE ledger_entries SET run_id = 'run_2', sequence = 77 WHERE run_id = 'run_1' AND sequence = 2",
    "UPDATE ledger_entries SET time = 'x'",
    "DELETE FROM ledger_entries WHERE run_id = 'run_1' AND sequence = 5",
    "DELETE FROM runs WHERE run_id = 'run_1'",
    "DELETE FROM runs",
    "UPDATE runs SET policy = '{}' WHERE run_id = 'run_1'",
    "UPDATE runs SET tenant_id = 'other'",
    "UPDATE runs SET status = 'failed' WHERE run_id = 'run_1'",
    "UPDATE runs SET steps = 0 WHERE run_id = 'run_1'",
    "UPDATE runs SET output = '' WHERE run_id = 'run_1'",
]
ALLOWED = [
    "UPDATE ledger_entries SET output = 'tampered' WHERE run_id = 'run_2' AND sequence = 2",
    "DELETE FROM ledger_entries WHERE run_id = 'run_2'",
    "UPDATE runs SET policy = '{}' WHERE run_id = 'run_2'",
    "DELETE FROM runs WHERE run_id = 'run_2'",
]


class Database(Protocol):
    """A store, and SQL past it."""

    storage: Storage

    async def execute(self, sql: str) -> None:
        """Raises when the database refuses."""


class Sqlite:
    """A file."""

    def __init__(self, storage: Storage, path: Path) -> None:
        self.storage = storage
        self._path = path

    async def execute(self, sql: str) -> None:
        """See Database."""
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=60)) as connection:
            connection.execute(sql)


class Postgres:
    """A database of the cluster."""

    def __init__(self, storage: Storage, url: str) -> None:
        self.storage = storage
        self._url = url

    async def execute(self, sql: str) -> None:
        """See Database."""
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """run_1 is immutable and has ended, run_2 is an ordinary one."""
    cluster: PostgresCluster | None = request.getfixturevalue("postgres") if request.param == "postgres" else None
    url = str(tmp_path / "ledger.db") if cluster is None else cluster.new_database()
    storage = await open_storage(url, pool_min=1, pool_max=4)
    await create(storage, "run_1", policy=IMMUTABLE)
    for place in (1, 2, 3):
        await storage.append("run_1", (step("run_1", place),), RunChange(usage=STEP_USAGE))
    await storage.append("run_1", (finished("run_1"),), ENDED)
    await whole_run(storage, "run_2")
    yield Sqlite(storage, tmp_path / "ledger.db") if cluster is None else Postgres(storage, url)
    await storage.close()


@pytest.mark.parametrize("sql", FORBIDDEN)
async def test_the_database_refuses(database: Database, sql: str) -> None:
    """Every way to change or delete what is recorded, also where only some of the rows are immutable."""
    with pytest.raises((sqlite3.IntegrityError, asyncpg.RaiseError), match="immutable"):
        await database.execute(sql)
    assert await verified(database.storage, "run_1")


async def test_other_runs_are_as_free_as_ever(database: Database) -> None:
    """What was tampered with there is found by verification, not refused."""
    for sql in ALLOWED:
        await database.execute(sql)
    assert await verified(database.storage, "run_1")


async def test_a_policy_that_merely_quotes_the_mark_is_not_immutable(database: Database) -> None:
    """The mark inside a string is escaped in the stored policy."""
    await create(database.storage, "run_3", policy=QUOTING)
    await database.execute("UPDATE ledger_entries SET output = 'tampered' WHERE run_id = 'run_3'")


async def test_an_erasure_that_is_recorded_passes(database: Database) -> None:
    """The chain stays valid, and afterwards the run is as immutable as before."""
    await database.storage.erase_payloads(new_erasure("run_1", TENANT, time_of(200), "p-dpo", "gdpr art. 17"))
    result = await verified(database.storage, "run_1")
    assert (result.valid, result.payloads_erased) == (True, 8)
    for sql in (
        "UPDATE ledger_entries SET output = 'x'",
        "DELETE FROM ledger_entries",
        "UPDATE runs SET status = 'failed'",
    ):
        with pytest.raises((sqlite3.IntegrityError, asyncpg.RaiseError), match="immutable"):
            await database.execute(f"{sql} WHERE run_id = 'run_1'")
