"""One session through two servers on one PostgreSQL: what both spend and reserve together stays within its budget."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import pytest

from tests.session_peak import peak_nano_usd

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartServer
    from tests.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
RUNS = 40
RECORDS = "SELECT e.record FROM ledger_entries e JOIN runs r USING (run_id) WHERE r.session_id = 's' ORDER BY e.seq"


def test_two_servers_never_spend_more_together(
    postgres: PostgresCluster, start_server: StartServer, tmp_path: Path
) -> None:
    """One run at each server, then forty at once, with a budget for a few: not all can complete, and nothing is overspent."""
    url = postgres.new_database()
    servers = [
        start_server(tmp_path, MESHFLOW_DATA_DIR=str(tmp_path), MESHFLOW_LEDGER_DB=url, MESHFLOW_MOCK_LATENCY_MS="100")
        for _ in range(2)
    ]
    cost = servers[0].post("/run", {"task": "probe"}).json()["total_cost_usd"]
    budget = 12 * cost
    body = {"session_id": "s", "policy": {"session_budget_usd": budget, "budget_usd": budget}}

    def run_at(n: int) -> dict[str, Any]:
        return cast("dict[str, Any]", servers[n % 2].post("/run", {"task": "probe", **body}).json())

    runs = [run_at(0), run_at(1)]
    assert [run["status"] for run in runs] == ["completed", "completed"], runs
    with ThreadPoolExecutor(RUNS) as pool:
        runs += pool.map(run_at, range(RUNS))
    statuses = [run["status"] for run in runs]
    # Of runs that begin together all may be blocked: each can have spent on its first step what another's last would need.
    assert set(statuses) <= {"completed", "blocked"}, runs
    assert "blocked" in statuses, runs
    assert all("session_budget_usd" in run["block_reason"] for run in runs if run["status"] == "blocked"), runs
    records = granted(asyncio.run(_records(url)))
    assert 0 < peak_nano_usd(records) <= round(budget * 1e9)
    assert sum(run["total_cost_usd"] for run in runs) <= budget


def granted(records: list[bytes]) -> list[bytes]:
    """Without the reservations that were refused: a server writes one first, and reads then whether it came in time."""
    parsed = [json.loads(record) for record in records]
    denied = {(each["run_id"], each["step_id"]) for each in parsed if each["kind"] == "step_denied"}
    assert all(each["facts"]["cost_nano_usd"] == 0 for each in parsed if each["kind"] == "step_denied")
    return [
        raw
        for raw, each in zip(records, parsed, strict=True)
        if each["kind"] != "budget_reserved" or (each["run_id"], each["step_id"].partition("$")[0]) not in denied
    ]


async def _records(url: str) -> list[bytes]:
    """The session's records in the ledger's order."""
    connection = await asyncpg.connect(url)
    try:
        return [row["record"] for row in await connection.fetch(RECORDS)]
    finally:
        await connection.close()
