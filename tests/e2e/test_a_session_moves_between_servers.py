"""A conversation goes on at whichever replica its next turn comes to, and the end of a run is told by whichever is left."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.service.webhook_receiver import receiving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartServer
    from tests.postgres_cluster import PostgresCluster

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
ECHO = "name: echo\nnodes:\n  talker: {kind: agent, mock: {output: Bornholm}}\nedges: [START -> talker]\n"
SECRET = "a-secret-of-the-webhooks"


async def test_two_replicas_serve_one_session(
    start_server: StartServer, tmp_path: Path, postgres: PostgresCluster
) -> None:
    """The second turn is told the first, from another process; a killed server's delivery comes from the other."""
    shared = {
        "MESHFLOW_DATA_DIR": str(tmp_path),
        "MESHFLOW_LEDGER_DB": postgres.new_database(),
        "MESHFLOW_WEBHOOK_SECRET": SECRET,
    }
    first, second = [await asyncio.to_thread(start_server, tmp_path, **shared) for _ in range(2)]
    body = {"task": "Name a quiet island.", "workflow_yaml": ECHO, "session_id": "trip"}
    before = (await asyncio.to_thread(first.post, "/run", body)).json()
    async with receiving(503) as receiver:
        asked = {**body, "task": "How do I get there?", "webhook": receiver.url}
        run = (await asyncio.to_thread(second.post, "/run", asked)).json()
        await receiver.deliveries(1)
        await asyncio.to_thread(second.kill)
        receiver.statuses = [200]
        told = (await receiver.deliveries(len(receiver.seen) + 1, timeout_s=180))[-1]

    entries = (await asyncio.to_thread(first.get, f"/v1/runs/{run['run_id']}/entries")).json()["entries"]
    listed = (await asyncio.to_thread(first.get, "/v1/runs", params={"session_id": "trip"})).json()["runs"]

    assert before["run_id"] in entries[0]["record"]
    assert "Bornholm" in entries[0]["input"]
    assert [each["run_id"] for each in listed] == [run["run_id"], before["run_id"]]
    assert told.document["delivery_id"] == f"{run['run_id']}.finished"
    await asyncio.to_thread(first.stop)
