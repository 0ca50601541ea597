"""What DurableWorkflowExecutor promises, of every backend: forks, ids, rivals and the end of a run."""

from __future__ import annotations

import asyncio

import pytest

from meshflow_grpc import ReplayLedger, WorkflowDefinition
from meshflow_grpc.domain.errors import (
    InvalidRequestError,
    LedgerUnavailableError,
    RunConflictError,
    RunNotFoundError,
)
from tests.conformance.durable import CHAIN, LEDGERS, Application, Backend, looping_graph, stop_in_second

pytestmark = pytest.mark.timeout(600)  # the first use builds the S3 server


async def test_a_fork_keeps_what_came_before_the_node(backend: Backend, run_id: str) -> None:
    """Inherited steps are not executed again; the parent is not changed."""
    app = Application()
    app.release.set()
    await backend.executor(run_id, app).run(CHAIN, "go")

    forked = backend.executor("unused", app).fork(parent_run_id=run_id, before_node_id="third")
    result = await forked.resume()

    assert (result.status, result.run_id, app.effects) == (
        "completed",
        forked.run_id,
        ["first", "second", "third", "third"],
    )
    assert await forked.resume() == result
    assert (await backend.executor(run_id).status()).status == "completed"


async def test_a_graph_is_forked_with_its_state(backend: Backend, run_id: str) -> None:
    """The fork's state is the parent's at that point; its gate asks anew."""
    app = Application()
    app.release.set()
    await backend.executor(run_id).run(looping_graph(app), {"seen": [], "count": 2})
    await backend.executor(run_id).decide("reject", reviewer="bob", workflow=looping_graph(app))

    forked = backend.executor(run_id).fork(run_id, "publish", new_run_id=f"{run_id}.again")
    paused = await forked.resume(looping_graph(app))
    result = await forked.decide("approve", reviewer="bob", workflow=looping_graph(app))

    assert (paused.status, paused.state) == ("paused", {"seen": ["wait 2"], "count": 3})
    assert result.state == {"seen": ["wait 2", "published 3"], "count": 3}


async def test_forks_of_nothing_are_refused(backend: Backend, run_id: str) -> None:
    """An unknown parent, an unknown node; nothing is recorded."""
    app = Application()
    app.release.set()
    await backend.executor(run_id, app).run(CHAIN, "go")

    unknown = backend.executor(None, app).fork("never-run", "third")
    with pytest.raises(RunNotFoundError):
        await unknown.resume()
    elsewhere = backend.executor(None, app).fork(run_id, "nowhere")
    with pytest.raises(InvalidRequestError, match="nowhere"):
        await elsewhere.resume()
    assert (await elsewhere.status()).status == "absent"


async def test_an_id_is_of_one_run(backend: Backend, run_id: str) -> None:
    """Another input or another workflow under the same id is refused."""
    app = Application()
    app.release.set()
    await backend.executor(run_id, app).run(CHAIN, "go")

    with pytest.raises(RunConflictError, match="another input"):
        await backend.executor(run_id, app).run(CHAIN, "go elsewhere")
    other = WorkflowDefinition("other").add_node("first", kind="tool", tool="first")
    with pytest.raises(RunConflictError, match="another workflow"):
        await backend.executor(run_id, app).run(other, "go")
    with pytest.raises(RunNotFoundError):
        await backend.executor(f"{run_id}x", app).resume()


async def test_two_processes_do_not_execute_one_run(backend: Backend, run_id: str) -> None:
    """One of them is refused, and no step is executed twice."""
    app, late = Application(), Application()
    late.release.set()
    running = asyncio.create_task(backend.executor(run_id, app).run(CHAIN, "go"))
    await app.held.wait()

    if backend.name in LEDGERS:
        with pytest.raises(LedgerUnavailableError):
            await backend.executor(run_id, late).resume()
        app.release.set()
        assert (await running).status == "completed"
        assert app.effects == ["first", "second", "third"]
    else:
        assert (await backend.executor(run_id, late).resume()).status == "completed"
        app.release.set()
        with pytest.raises(RunConflictError, match="another process"):
            await running
        assert late.effects == ["second", "third"]
        assert "third" not in app.effects


async def test_clear_removes_what_people_wrote(backend: Backend, run_id: str) -> None:
    """A stopped run is ended first. Checkpoints forget the run; a ledger keeps a valid chain without payloads."""
    app = Application()
    await stop_in_second(backend, run_id, app)

    assert await backend.executor(run_id).clear()

    if backend.ledger:
        replay = ReplayLedger(backend.ledger)
        assert await replay.verify_chain(run_id)
        assert all(entry.input is None and entry.output is None for entry in (await replay.get_run(run_id))[:-1])
        assert (await backend.executor(run_id).status()).status == "cancelled"
    else:
        assert (await backend.executor(run_id).status()).status == "absent"
        assert not await backend.executor(run_id).clear()


async def test_immutable_runs_are_not_forgotten(backend: Backend, run_id: str) -> None:
    """A checkpoint under immutable_audit is kept whole; a ledger anonymizes it."""
    app = Application()
    app.release.set()
    await backend.executor(run_id, app).run(CHAIN, "go", policy={"immutable_audit": True})

    if backend.ledger:
        assert await backend.executor(run_id).clear()
    else:
        with pytest.raises(RunConflictError, match="immutable_audit"):
            await backend.executor(run_id).clear()
    assert (await backend.executor(run_id).status()).status == "completed"
