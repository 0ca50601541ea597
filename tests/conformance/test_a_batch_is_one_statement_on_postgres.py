"""What many runs append at the same time costs PostgreSQL one statement, which is its own transaction."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.batch import Append, CreateRun
from meshflow_grpc.storage.postgres import transaction
from meshflow_grpc.storage.postgres.connection import PoolOptions
from tests.conformance.drafts import ENDED, finished, new_run, started, step

if TYPE_CHECKING:
    from meshflow_grpc.domain.errors import MeshflowError
    from tests.postgres_cluster import PostgresCluster

pytestmark = pytest.mark.postgres


async def test_a_batch_is_one_statement(postgres: PostgresCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """New runs, entries and the ends of runs are written together, and no transaction is begun or committed beside."""
    statements: list[str] = []
    open_writer = transaction.open_writer

    async def listening(url: str, options: PoolOptions) -> Any:
        connection = await open_writer(url, options)
        connection.add_query_logger(lambda record: statements.append(record.query))
        return connection

    monkeypatch.setattr(transaction, "open_writer", listening)
    writer = transaction.BatchWriter(postgres.new_database(), PoolOptions(), os.urandom)
    await writer.open()
    ids = [f"run_{place}" for place in range(5)]
    try:
        made = await writer.write([CreateRun(new_run(run_id), started(run_id), "f") for run_id in ids])
        await asyncio.sleep(0)  # loggers are told in the loop's next turn
        statements.clear()
        steps = await writer.write([Append(run_id, (step(run_id, 1),), None) for run_id in ids])
        ends = await writer.write(
            [
                CreateRun(new_run("run_5"), started("run_5"), "f"),
                *(Append(each, (finished(each),), ENDED) for each in ids),
            ]
        )
    finally:
        await writer.close()
    failures: list[MeshflowError] = [each for each in (*made, *steps, *ends) if isinstance(each, Exception)]
    assert not failures
    assert [text.split()[:2] for text in statements] == [["WITH", "place"]] * 2


class DeafOnce:
    """A connection that breaks after the first batch was written and before the answer came."""

    def __init__(self, connection: Any, broken: list[str]) -> None:
        self._connection = connection
        self._broken = broken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """As asyncpg's."""
        value = await self._connection.fetchval(query, *arguments)
        if query.startswith("WITH place") and not self._broken:
            self._broken.append(query)
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        return value


async def test_a_run_of_which_no_answer_came_is_this_servers(
    postgres: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be there: whoever asked is told that nobody knows, and this server goes on with it when it is."""
    broken: list[str] = []
    open_writer = transaction.open_writer

    async def deaf(url: str, options: PoolOptions) -> Any:
        return DeafOnce(await open_writer(url, options), broken)

    monkeypatch.setattr(transaction, "open_writer", deaf)
    writer = transaction.BatchWriter(postgres.new_database(), PoolOptions(), os.urandom)
    writer.fence.owner = "server_1"
    await writer.open()
    try:
        (made,) = await writer.write([CreateRun(new_run("run_1"), started("run_1"), "f")])
        (gone_on,) = await writer.write([Append("run_1", (step("run_1", 1),), None)])
    finally:
        await writer.close()
    assert broken
    assert isinstance(made, LedgerUnavailableError)
    assert not isinstance(gone_on, Exception), gone_on
