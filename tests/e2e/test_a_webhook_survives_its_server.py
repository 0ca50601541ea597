"""Who is to be told of a run's end is told although the server was killed: at least once, and the delivery names itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.service.webhook_receiver import receiving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartServer

SECRET = "a-secret-of-the-webhooks"


@pytest.mark.slow
async def test_kill_9_before_it_was_taken(start_server: StartServer, tmp_path: Path) -> None:
    """The first server is turned away and dies; the second one delivers the same."""
    async with receiving(503) as receiver:
        first = await asyncio.to_thread(start_server, tmp_path, MESHFLOW_WEBHOOK_SECRET=SECRET)
        run = (await asyncio.to_thread(first.post, "/run", {"task": "tides", "webhook": receiver.url})).json()
        assert run["status"] == "completed"
        await receiver.deliveries(1)
        await asyncio.to_thread(first.kill)
        receiver.statuses = [200]
        before = len(receiver.seen)

        second = await asyncio.to_thread(start_server, tmp_path, MESHFLOW_WEBHOOK_SECRET=SECRET)
        # Killed while the answer came back, the delivery is given up by its lease alone, after a minute.
        told = (await receiver.deliveries(before + 1, timeout_s=180))[-1]
        await asyncio.to_thread(second.stop)

    assert told.document["delivery_id"] == f"{run['run_id']}.finished"
    assert told.headers["x-meshflow-delivery"] == receiver.seen[0].headers["x-meshflow-delivery"]
    assert told.document["ledger_head"] == run["ledger_head"]
