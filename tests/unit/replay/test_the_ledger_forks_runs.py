"""ReplayLedger.fork records a run that the next server goes on with; sync() is the same ledger for scripts."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc import ReplayLedger
from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
from meshflow_grpc.replay.sync_ledger import SyncReplayLedger
from meshflow_grpc.storage.factory import open_storage
from tests.fakes.providers import FakeProvider

if TYPE_CHECKING:
    from pathlib import Path

    from meshflow_grpc.domain.run import Run

ALICE = Principal("alice", "default", method="test")


async def served(url: str, *, fork: str = "") -> tuple[Run, list[str]]:
    """A server's life on the ledger: runs a request, or waits for the fork; also who was asked."""
    storage, provider = await open_storage(url), FakeProvider()
    runtime = assemble(Outside(storage, provider), RuntimeOptions())
    await runtime.engine.recover()
    if fork:
        run = await runtime.commands.wait_run.execute(ALICE, fork, timeout_s=30)
    else:
        run = await runtime.commands.run.execute(ALICE, RunRequest(task="tides"))
    await runtime.engine.drain(5)
    await storage.close()
    return run, [request.agent_id for request in provider.requests]


def test_a_fork_goes_on_when_a_server_starts(tmp_path: Path) -> None:
    """It keeps the steps before the one named, and both chains verify."""
    url = str(tmp_path / "ledger.db")
    parent, _ = asyncio.run(served(url))
    ledger = ReplayLedger(url).sync()
    forked = ledger.fork(parent.run_id, from_step=1)
    run, asked = asyncio.run(served(url, fork=forked))
    assert (run.status, asked) == (RunStatus.COMPLETED, ["writer"])
    assert ledger.list_runs() == [forked, parent.run_id]
    assert ledger.verify_chain(forked)
    assert ledger.verify_chain(parent.run_id)
    assert ledger.diff(parent.run_id, forked).only_in_a == ["researcher"]
    ended, asked = asyncio.run(served(url, fork=ledger.fork(parent.run_id, from_step=2)))
    assert (ended.status, asked) == (RunStatus.COMPLETED, [])
    with pytest.raises(InvalidRequestError, match="from_step"):
        ledger.fork(parent.run_id, from_step=3)


def test_the_blocking_face_lacks_nothing(tmp_path: Path) -> None:
    """Every public coroutine has a blocking twin with the same parameters; in an event loop it says so."""
    for name, method in inspect.getmembers(ReplayLedger, inspect.iscoroutinefunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(SyncReplayLedger, name)) == inspect.signature(method), name

    async def inside() -> None:
        ReplayLedger(str(tmp_path / "none.db")).sync().list_runs()

    with pytest.raises(RuntimeError):
        asyncio.run(inside())
