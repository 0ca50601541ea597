"""A server on a PostgreSQL that answers nothing for a while: refusals say so in time, and it passes by itself."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest

from tests.postgres_cluster import postgres_cluster

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer
    from tests.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
DEADLINE_S = 60.0


def until_ready(server: MeshflowServer, status: int) -> float:
    """Asks /readyz until it answers so; returns how long that took."""
    begun = time.monotonic()
    while server.get("/readyz").status_code != status:
        assert time.monotonic() < begun + DEADLINE_S
    return time.monotonic() - begun


def reason(answer: httpx.Response) -> str:
    """The reason of an error."""
    found: str = next(each for each in answer.json()["details"] if each["@type"].endswith("ErrorInfo"))["reason"]
    return found


def test_a_frozen_database(start_server: StartServer, tmp_path: Path) -> None:
    """Readiness goes off though connections stay open; liveness stays on; runs under way complete when it thaws."""
    with postgres_cluster() as own:
        server = start_server(
            tmp_path,
            MESHFLOW_DATA_DIR=str(tmp_path),
            MESHFLOW_LEDGER_DB=own.new_database(),
            MESHFLOW_MOCK_LATENCY_MS="300",
        )
        run_ids = [server.post("/v1/runs", {"task": f"t{number}"}).json()["run_id"] for number in range(10)]
        own.freeze()
        try:
            until_ready(server, 503)
            assert server.get("/healthz").status_code == 200
        finally:
            own.thaw()
        until_ready(server, 200)
        with ThreadPoolExecutor(10) as pool:
            path = "/v1/runs/{}:wait"
            runs = list(pool.map(lambda r: server.get(path.format(r), params={"timeout_s": 30}).json(), run_ids))
        assert {run["status"] for run in runs} == {"completed"}, runs
        assert all(server.get(f"/v1/runs/{run_id}:verify").json()["valid"] for run_id in run_ids)
        assert server.post("/run", {"task": "after"}).json()["status"] == "completed"


async def test_every_reading_connection_is_busy(
    postgres: PostgresCluster, start_server: StartServer, tmp_path: Path
) -> None:
    """Reads are refused with the limit's name and a time to come back; when one is free again, they are answered."""
    url = postgres.new_database()
    server = await asyncio.to_thread(
        start_server,
        tmp_path,
        MESHFLOW_DATA_DIR=str(tmp_path),
        MESHFLOW_LEDGER_DB=url,
        MESHFLOW_PG_POOL_MIN="1",
        MESHFLOW_PG_POOL_MAX="1",
    )
    run = (await asyncio.to_thread(server.post, "/run", {"task": "x"})).json()
    async with httpx.AsyncClient(base_url=server.url, timeout=DEADLINE_S, trust_env=False) as http:
        holder = await asyncpg.connect(url)
        async with holder.transaction():
            await holder.execute("LOCK TABLE workflows IN ACCESS EXCLUSIVE MODE")
            blocked = asyncio.create_task(http.get("/v1/workflows"))
            await _waits(holder)
            refused = await asyncio.gather(*(http.get(f"/v1/runs/{run['run_id']}/entries") for _ in range(5)))
            assert {(answer.status_code, reason(answer)) for answer in refused} == {(503, "LEDGER_UNAVAILABLE")}
            assert all("MESHFLOW_PG_POOL_MAX" in answer.text and "retry_delay" in answer.text for answer in refused)
        await holder.close()
        assert (await blocked).status_code == 200
        again = await asyncio.gather(*(http.get(f"/v1/runs/{run['run_id']}/entries") for _ in range(20)))
        assert {answer.status_code for answer in again} == {200}
    await asyncio.to_thread(until_ready, server, 200)


async def _waits(holder: Any) -> None:
    """Until a statement waits for the lock."""
    async with asyncio.timeout(DEADLINE_S):
        while not await holder.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            pass
