"""Disk full, file locked, database killed, under load: clear refusals, nothing acknowledged is lost, and it passes by itself."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.conftest import MeshflowServer, StartServer
from tests.postgres_cluster import PostgresCluster, postgres_cluster

pytestmark = pytest.mark.slow
CALLERS = 8
TIMEOUT_S = 60.0


@dataclass
class Load:
    """Callers that start run after run, each repeated under its request id until it is answered."""

    url: str
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: bool = False

    async def caller(self, client: httpx.AsyncClient) -> None:
        """One caller."""
        while not self.stopping:
            request = {"task": "tides", "request_id": str(uuid4())}
            while request["request_id"] not in self.acknowledged:
                answer = await client.post(f"{self.url}/run", json=request, timeout=TIMEOUT_S)
                if answer.status_code == 200:
                    self.acknowledged[request["request_id"]] = answer.json()
                else:
                    self.refusals.append({"http": answer.status_code, **answer.json()})
                    await asyncio.sleep(0.05)
                self.changed.set()

    async def until(self, acknowledged: int = 0, refused: int = 0) -> None:
        """Waits until so many more runs were answered and refused than were before."""
        runs, refusals = len(self.acknowledged) + acknowledged, len(self.refusals) + refused
        async with asyncio.timeout(TIMEOUT_S):
            while len(self.acknowledged) < runs or len(self.refusals) < refusals:
                self.changed.clear()
                await self.changed.wait()

    def check_refusals(self) -> None:
        """Each says UNAVAILABLE, why, and when to come back."""
        assert self.refusals
        for refusal in self.refusals:
            (info,) = [each for each in refusal["details"] if each["@type"].endswith("ErrorInfo")]
            assert (refusal["http"], refusal["code"]) == (503, 14), refusal
            assert info["reason"] in {"LEDGER_UNAVAILABLE", "NOT_READY"}, refusal
            assert "127.0.0.1" not in refusal["message"], refusal


async def check_runs(load: Load, server: MeshflowServer) -> None:
    """Every run that was answered is there as it was told, once, with its entries, and verifies."""
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        for run in load.acknowledged.values():
            path = f"{server.url}/v1/runs/{run['run_id']}"
            now = (await client.get(f"{path}:wait", params={"timeout_s": 30})).json()
            assert now["status"] == "completed", now
            verified = (await client.get(f"{path}:verify")).json()
            assert verified["valid"], verified
            entries = (await client.get(f"{path}/entries")).json()["entries"]
            assert [e["kind"] for e in entries].count("run_finished") == 1
            if run["status"] == "completed":
                assert (run["output"], run["ledger_head"]) == (now["output"], now["ledger_head"])
                assert len(entries) == run["ledger_entries"]
    assert len({run["run_id"] for run in load.acknowledged.values()}) == len(load.acknowledged)


async def under_load(server: MeshflowServer, fault: Any) -> Load:
    """Lets the fault come and go in the middle of the load, and returns what the callers saw."""
    load = Load(server.url)
    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(load.caller(client))
        await load.until(acknowledged=10)
        await fault(load)
        await load.until(acknowledged=20)
        load.stopping = True
    return load


@contextmanager
def no_file_longer_than(size: int, pid: int) -> Iterator[None]:
    """Makes a process's writes beyond a size fail, as a full disk does."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk(start_server: StartServer) -> None:
    """Nothing can be written for a while; when there is space again the server goes on without a restart."""
    server = await asyncio.to_thread(start_server)

    async def fault(load: Load) -> None:
        with no_file_longer_than(1, server.process.pid):
            await load.until(refused=3)

    load = await under_load(server, fault)
    load.check_refusals()
    await check_runs(load, server)


async def test_a_file_that_another_process_locks(start_server: StartServer) -> None:
    """Longer than the server waits for it."""
    server = await asyncio.to_thread(start_server)

    async def fault(load: Load) -> None:
        with closing(sqlite3.connect(server.ledger, isolation_level=None, timeout=60)) as other:
            other.execute("BEGIN IMMEDIATE")
            await load.until(refused=1)

    load = await under_load(server, fault)
    load.check_refusals()
    assert any("another process" in refusal["message"] for refusal in load.refusals)
    await check_runs(load, server)


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresCluster]:
    """A database server of this module's own."""
    with postgres_cluster() as own:
        yield own


@pytest.mark.postgres
async def test_a_database_that_is_killed_and_restarted(
    start_server: StartServer, cluster: PostgresCluster, tmp_path: Path
) -> None:
    """Twice, in the middle of runs."""
    url = cluster.new_database()
    server = await asyncio.to_thread(
        start_server, tmp_path, MESHFLOW_LEDGER_DB=url, MESHFLOW_DATA_DIR=str(tmp_path), MESHFLOW_MOCK_LATENCY_MS="20"
    )

    async def fault(load: Load) -> None:
        for _ in range(2):
            await asyncio.to_thread(cluster.stop)
            await load.until(refused=3)
            await asyncio.to_thread(cluster.start)
            await load.until(acknowledged=5)

    load = await under_load(server, fault)
    load.check_refusals()
    await check_runs(load, server)
