"""What DurableWorkflowExecutor promises, of every backend: a run begins, stops, waits and goes on."""

from __future__ import annotations

import asyncio

import pytest

from meshflow_grpc import ReplayLedger
from meshflow_grpc.domain.errors import (
    InvalidWorkflowError,
    RunConflictError,
)
from tests.conformance.durable import CHAIN, GATED, Application, Backend, looping_graph, stop_in_second

pytestmark = pytest.mark.timeout(600)  # the first use builds the S3 server


async def test_a_run_is_governed_recorded_and_ends(backend: Backend, run_id: str) -> None:
    """Its result and status are those of any run; the same call again returns it without executing anything."""
    app = Application()
    app.release.set()
    executor = backend.executor(run_id, app)
    if backend.name != "postgres":  # where migrations come with the first run
        assert (await executor.status()).status == "absent"

    result = await executor.run(CHAIN, "go")
    again = await backend.executor(run_id, app).run(CHAIN, "go")

    assert (result.run_id, result.status, result.output) == (run_id, "completed", "three")
    assert again == result
    assert app.effects == ["first", "second", "third"]
    status = await backend.executor(run_id).status()
    assert dict(status.nodes) == {"first": "committed", "second": "committed", "third": "committed"}
    if backend.ledger:
        assert await ReplayLedger(backend.ledger).verify_chain(run_id)


async def test_policies_hold(backend: Backend, run_id: str) -> None:
    """A step too many is blocked, and stays blocked."""
    app = Application()
    app.release.set()

    result = await backend.executor(run_id, app).run(CHAIN, "go", policy={"max_steps": 2})

    assert (result.status, result.blocked_by) == ("blocked", "budget_check")
    assert (await backend.executor(run_id, app).resume()).status == "blocked"
    assert app.effects == ["first", "second"]


async def test_a_stopped_run_goes_on_where_it_was(backend: Backend, run_id: str) -> None:
    """What was committed is not executed again."""
    app = Application()
    await stop_in_second(backend, run_id, app)
    assert (await backend.executor(run_id).status()).status == "running"

    app.release.set()
    result = await backend.executor(run_id, app).resume()

    assert (result.status, app.effects) == ("completed", ["first", "second", "third"])


async def test_a_run_without_its_functions_is_not_spoilt(backend: Backend, run_id: str) -> None:
    """Resuming where the tools are not there is an error of the call; with them the run goes on."""
    app = Application()
    await stop_in_second(backend, run_id, app)

    with pytest.raises(InvalidWorkflowError, match="'third'"):
        await backend.executor(run_id).resume()

    app.release.set()
    assert (await backend.executor(run_id, app).resume()).status == "completed"


@pytest.mark.parametrize(("decision", "status", "effects"), [("approve", "completed", 3), ("reject", "rejected", 2)])
async def test_a_gate_is_decided_in_another_process(
    backend: Backend, run_id: str, decision: str, status: str, effects: int
) -> None:
    """The run waits as rows; the approved step is executed once, the rejected one never."""
    app = Application()
    app.release.set()
    result = await backend.executor(run_id, app).run(CHAIN, "go", policy=GATED)
    assert result.status == "paused"
    assert result.pending_approval is not None
    assert (await backend.executor(run_id, app).resume()).status == "paused"

    decided = await backend.executor(run_id, app).decide(decision, reviewer="bob", comment="seen")

    assert (decided.status, len(app.effects)) == (status, effects)
    with pytest.raises(RunConflictError, match="no decision"):
        await backend.executor(run_id, app).decide("approve", reviewer="bob")


async def test_a_graph_goes_on_after_a_stop_and_a_gate(backend: Backend, run_id: str) -> None:
    """State, reducers and loop counts are what the ledger says, in each process anew."""
    app = Application()
    running = asyncio.create_task(backend.executor(run_id).run(looping_graph(app), {"seen": ["start"], "count": 0}))
    await app.held.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    app.release.set()
    paused = await backend.executor(run_id).resume(looping_graph(app))
    assert (paused.status, paused.state) == ("paused", {"seen": ["start", "wait 0", "wait 1", "wait 2"], "count": 3})
    with pytest.raises(InvalidWorkflowError, match="function"):
        await backend.executor(run_id).decide("approve", reviewer="bob")
    result = await backend.executor(run_id).decide("approve", reviewer="bob", workflow=looping_graph(app))

    assert result.status == "completed"
    assert result.state == {"seen": ["start", "wait 0", "wait 1", "wait 2", "published 3"], "count": 3}
    assert app.effects == ["wait 0", "wait 1", "wait 2", "publish"]
