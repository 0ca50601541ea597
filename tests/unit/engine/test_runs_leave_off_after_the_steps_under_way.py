"""A draining server that is to hand over begins no more steps, and loses none that it began."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from meshflow_grpc.app import Outside, Runtime, RuntimeOptions, assemble
from meshflow_grpc.domain.errors import StoppedError
from meshflow_grpc.domain.run import RunRequest, RunStatus
from meshflow_grpc.engine.sole_server import SoleServer
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.providers import FakeProvider, gate
from tests.unit.engine.conftest import ALICE, make_world

LONG_S = 60.0
CHAIN = "name: chain\nentry: one\nnodes:\n  one: {}\n  two: {}\nedges:\n  - one -> two\n"
BRANCHES = """
name: branches
entry: start
nodes:
  start: {}
  slow: {}
  quick: {}
  after: {}
  join: {}
edges:
  - start -> slow
  - start -> quick
  - quick -> after
  - slow -> join
  - after -> join
"""


class Company(SoleServer):
    """One of two servers, as far as it knows; ``handed`` are the runs it gave up."""

    def __init__(self, storage: MemoryStorage, *, alone: bool = False) -> None:
        super().__init__(storage)
        self.handed: list[str] = []
        self._alone = alone

    def accompanied(self) -> bool:
        """See RunLeases."""
        return not self._alone

    async def hand_over(self, run_id: str) -> None:
        """See RunLeases."""
        self.handed.append(run_id)


def server(provider: FakeProvider, *, alone: bool = False) -> tuple[Runtime, Company, MemoryStorage]:
    """A runtime that shares its store."""
    storage = MemoryStorage()
    company = Company(storage, alone=alone)
    return assemble(replace(Outside(storage, provider), leases=company), RuntimeOptions()), company, storage


async def drained(runtime: Runtime, release: asyncio.Event) -> int:
    """Begins to drain, then lets the step under way end; returns how many runs had to be stopped."""
    runtime.state.draining = True
    draining = asyncio.create_task(runtime.engine.drain(LONG_S, hand_over=True))
    await asyncio.sleep(0)
    release.set()
    return await draining


@pytest.mark.parametrize("workflow", [CHAIN, BRANCHES], ids=["chain", "branches"])
async def test_the_rest_is_taken_by_another_server(workflow: str) -> None:
    """Steps under way are committed, no other begins, who waits is told, and the run goes on where it stands, once each."""
    line, started, release = gate()
    agent = "one" if workflow == CHAIN else "slow"
    provider = FakeProvider({agent: [line]})
    runtime, company, storage = server(provider)
    waiting = asyncio.create_task(
        runtime.commands.run.execute(ALICE, RunRequest(task="x", workflow_yaml=workflow, request_id="r"))
    )
    await started.wait()
    run_id = runtime.engine.active_runs[0]
    assert await drained(runtime, release) == 0
    with pytest.raises(StoppedError) as told:
        await waiting
    assert told.value.retry_elsewhere
    assert company.handed == [run_id]
    asked = [request.agent_id for request in provider.requests]
    assert "two" not in asked
    assert "join" not in asked

    other = make_world(provider, storage)
    assert await other.runtime.ownership.begin() == 1
    run = await other.settled(run_id)
    assert run.status is RunStatus.COMPLETED
    asked = [request.agent_id for request in provider.requests]
    assert sorted(asked) == sorted(set(asked))


async def test_a_run_whose_last_step_is_under_way_ends_here() -> None:
    """There is nothing to hand over."""
    line, started, release = gate()
    runtime, company, _ = server(FakeProvider({"two": [line]}))
    waiting = asyncio.create_task(runtime.commands.run.execute(ALICE, RunRequest(task="x", workflow_yaml=CHAIN)))
    await started.wait()
    assert await drained(runtime, release) == 0
    assert (await waiting).status is RunStatus.COMPLETED
    assert company.handed == []


async def test_without_company_runs_are_finished() -> None:
    """Nobody would go on with them."""
    line, started, release = gate()
    runtime, company, _ = server(FakeProvider({"one": [line]}), alone=True)
    waiting = asyncio.create_task(runtime.commands.run.execute(ALICE, RunRequest(task="x", workflow_yaml=CHAIN)))
    await started.wait()
    assert await drained(runtime, release) == 0
    assert (await waiting).status is RunStatus.COMPLETED
    assert company.handed == []


async def test_a_hurry_ends_the_wait_for_steps() -> None:
    """The step under way is cut off; its run stays resumable."""
    line, started, _ = gate()
    runtime, _, _ = server(FakeProvider({"one": [line]}))
    waiting = asyncio.create_task(runtime.commands.run.execute(ALICE, RunRequest(task="x", workflow_yaml=CHAIN)))
    await started.wait()
    hurry = asyncio.Event()
    draining = asyncio.create_task(runtime.engine.drain(LONG_S, hurry))
    await asyncio.sleep(0)
    assert not draining.done()
    hurry.set()
    assert await draining == 1
    with pytest.raises(StoppedError):
        await waiting
