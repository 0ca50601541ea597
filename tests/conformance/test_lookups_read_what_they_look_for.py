"""What a run costs does not grow with the number of runs before it: statements of the write path find rows by an index."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import asyncpg
import pytest

from meshflow_grpc.ledger.merkle import inclusion_ranges, nodes_of
from meshflow_grpc.ledger.merkle_nodes import CompactRange
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.storage.postgres import runs as postgres_runs
from meshflow_grpc.storage.sqlite import log
from meshflow_grpc.storage.sqlite import runs as sqlite_runs
from meshflow_grpc.storage.sqlite.connection import open_writer
from meshflow_grpc.storage.sqlite.migrate import migrate
from tests.conformance.drafts import TENANT, create

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.postgres_cluster import PostgresCluster

RUNS = 2_000
STEPS_PER_TICK = 20
KEYS = [(TENANT, f"request-{number}") for number in (7, RUNS // 2, RUNS + 1)]


async def filled(url: str) -> None:
    """A ledger of so many runs of one tenant, each with a request id."""
    storage = await open_storage(url)
    for start in range(0, RUNS, 500):
        numbers = range(start, start + 500)
        await asyncio.gather(*(create(storage, f"run_{n:05}", request_id=f"request-{n}") for n in numbers))
    await storage.close()


def steps_of(connection: sqlite3.Connection, work: Callable[[], object]) -> int:
    """Instructions of SQLite's machine that the work took, to the nearest tick."""
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1

    connection.set_progress_handler(tick, STEPS_PER_TICK)
    work()
    connection.set_progress_handler(None, 0)
    return ticks * STEPS_PER_TICK


async def test_sqlite_finds_request_ids_without_reading_the_tenants_runs(tmp_path: Path) -> None:
    """Fewer instructions than there are runs, however many keys a batch asks for."""
    await filled(str(tmp_path / "ledger.db"))
    connection = sqlite3.connect(tmp_path / "ledger.db")
    found: dict[tuple[str, str], object] = {}
    taken = steps_of(connection, lambda: found.update(sqlite_runs.select_requests(connection, KEYS)))
    heads = steps_of(connection, lambda: sqlite_runs.select_heads(connection, ["run_00007", "run_01999"]))
    connection.close()

    assert set(found) == set(KEYS[:2])
    assert taken < RUNS
    assert heads < RUNS


async def test_sqlite_reads_the_subtrees_of_a_proof_in_one_query(tmp_path: Path) -> None:
    """However large the tree: one statement, each subtree found by its key, and the hashes are those stored."""
    connection = open_writer(tmp_path / "ledger.db", 5.0)
    migrate(connection)
    nodes = CompactRange().append(b"%d" % number for number in range(RUNS))
    log.insert_nodes(connection, nodes)
    wanted = nodes_of(inclusion_ranges(RUNS // 3, RUNS))
    queries = list(log.select_nodes(wanted))
    found: list[tuple[int, int, bytes]] = []
    taken = steps_of(connection, lambda: found.extend(connection.execute(*queries[0])))
    connection.close()

    assert len(queries) == 1
    assert {(level, idx): hash_ for level, idx, hash_ in found} == {
        (node.level, node.idx): node.hash for node in nodes if (node.level, node.idx) in wanted
    }
    assert taken < RUNS


def test_a_steps_totals_change_no_index_of_sqlite(tmp_path: Path) -> None:
    """The statement that only moves totals writes the run's row; the one that changes a status also writes its indexes."""
    connection = open_writer(tmp_path / "ledger.db", 5.0)
    migrate(connection)

    def index_writes(sql: str) -> int:
        codes = [row[1] for row in connection.execute(f"EXPLAIN {sql}", [None] * sql.count("?"))]
        return codes.count("IdxInsert")

    assert index_writes(sqlite_runs._UPDATE_ALL[1]) > index_writes(sqlite_runs._UPDATE_TOTALS[1])
    connection.close()


@pytest.mark.postgres
async def test_postgres_finds_request_ids_by_their_index(postgres: PostgresCluster) -> None:
    """The plan names it, and reads no table from end to end."""
    url = postgres.new_database()
    await filled(url)
    connection = await asyncpg.connect(url)
    await connection.execute("ANALYZE runs")
    rows = await connection.fetch(
        "EXPLAIN " + postgres_runs._SELECT_REQUESTS, [t for t, _ in KEYS], [r for _, r in KEYS]
    )
    await connection.close()
    plan = "\n".join(row[0] for row in rows)

    assert "runs_request" in plan
    assert "Seq Scan on runs" not in plan
