"""What many runs append at the same time costs PostgreSQL one statement, which is its own transaction."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

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
