"""After an erasure no column of any table names the person who was in task, answers, refusals, reviews, labels, session and ids."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.app import Outside, Runtime, RuntimeOptions, assemble
from meshflow_grpc.commands.verify_log import verify_log
from meshflow_grpc.domain.errors import InvalidRequestError, RunConflictError, RunImmutableError, RunNotFoundError
from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.storage.factory import open_storage
from tests.fakes.providers import FakeProvider
from tests.unit.engine.gated import POLICY, PUBLISH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshflow_grpc.domain.run import Run

PERSON = "Erika Mustermann"
ALICE = Principal("p-alice", "acme", frozenset({"admin"}), "test")
BOB = Principal("p-bob", "acme", frozenset({"approver"}), "test")


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    """A runtime on a file."""
    storage = await open_storage(str(tmp_path / "ledger.db"))
    made = assemble(Outside(storage, FakeProvider()), RuntimeOptions())
    yield made
    await made.engine.drain(5)
    await storage.close()


async def start(runtime: Runtime, **fields: Any) -> Run:
    """A run about the person."""
    named = {"labels": {"customer": PERSON}, "session_id": PERSON}
    return await runtime.commands.run.execute(ALICE, RunRequest(task=PERSON, **{**named, **fields}))


def named_in(path: Path) -> list[str]:
    """Tables and columns in which the person is named."""
    found = []
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for column in columns:
                sql = f"SELECT count(*) FROM {table} WHERE instr(CAST({column} AS TEXT), 'Erika') > 0"
                if connection.execute(sql).fetchone()[0]:
                    found.append(f"{table}.{column}")
    return found


async def test_nothing_names_the_person(runtime: Runtime, tmp_path: Path) -> None:
    """Of a completed, a rejected, a denied and a forked run; all verify, and the log is whole."""
    completed = await start(runtime, request_id=f"request of {PERSON}")
    denied = await start(runtime, policy={"max_steps": 1})
    waiting = await start(runtime, workflow_yaml=PUBLISH, policy=POLICY)
    assert (denied.status, waiting.status) == (RunStatus.BLOCKED, RunStatus.PAUSED)
    assert waiting.pending_approval is not None
    await runtime.commands.decide_approval.execute(
        BOB, waiting.pending_approval.approval_id, decision="reject", comment=f"not for {PERSON}"
    )
    fork = await runtime.commands.fork_run.execute(ALICE, completed.run_id, ForkPoint(before_node="writer"))
    await runtime.commands.wait_run.execute(ALICE, fork.run_id, timeout_s=30)
    assert "runs.labels" in named_in(tmp_path / "ledger.db")
    for run_id in (denied.run_id, waiting.run_id):
        await runtime.commands.erase_run.execute(ALICE, run_id, basis="gdpr art. 17")
    erased = await runtime.commands.erase_run.execute(ALICE, completed.run_id, basis="gdpr art. 17", include_forks=True)

    assert (erased.erased_forks, erased.remaining_forks) == ((fork.run_id,), ())
    assert set(named_in(tmp_path / "ledger.db")) <= {"runs.policy"}
    for run_id in (completed.run_id, denied.run_id, waiting.run_id, fork.run_id):
        assert await runtime.commands.verify_run.execute(ALICE, run_id)
    log, _ = await verify_log(runtime.storage)
    assert [f for f in log.faults if "no signed head" not in f.description] == []


async def test_forks_that_remain_are_named(runtime: Runtime) -> None:
    """Also a fork of a fork; once they are erased they are named no more."""
    parent = await start(runtime)
    child = await runtime.commands.fork_run.execute(ALICE, parent.run_id, ForkPoint(before_node="writer"))
    await runtime.commands.wait_run.execute(ALICE, child.run_id, timeout_s=30)
    grandchild = await runtime.commands.fork_run.execute(ALICE, child.run_id, ForkPoint(before_node="writer"))
    await runtime.commands.wait_run.execute(ALICE, grandchild.run_id, timeout_s=30)
    erased = await runtime.commands.erase_run.execute(ALICE, parent.run_id, basis="b", mode="delete")
    assert erased.remaining_forks == (child.run_id, grandchild.run_id)
    await runtime.commands.erase_run.execute(ALICE, child.run_id, basis="b", mode="delete")
    again = await runtime.commands.erase_run.execute(ALICE, parent.run_id, basis="b", mode="delete")
    assert (again.entries, again.remaining_forks) == (0, (grandchild.run_id,))
    await runtime.commands.erase_run.execute(ALICE, parent.run_id, basis="b", include_forks=True)
    assert (await runtime.commands.erase_run.execute(ALICE, parent.run_id, basis="b")).remaining_forks == ()


async def test_with_forks_all_or_none_is_erased(runtime: Runtime) -> None:
    """One that goes on, or that may not be deleted, keeps the others from being erased."""
    parent = await start(runtime, workflow_yaml=PUBLISH, policy={**POLICY, "immutable_audit": True})
    fork = await runtime.commands.fork_run.execute(ALICE, parent.run_id, ForkPoint(before_node="publisher"))
    await runtime.commands.wait_run.execute(ALICE, fork.run_id, timeout_s=30)
    await runtime.commands.cancel_run.execute(ALICE, parent.run_id, reason="")
    with pytest.raises(RunConflictError, match=fork.run_id):
        await runtime.commands.erase_run.execute(ALICE, parent.run_id, basis="b", include_forks=True)
    await runtime.commands.cancel_run.execute(ALICE, fork.run_id, reason="")
    with pytest.raises(RunImmutableError):
        await runtime.commands.erase_run.execute(ALICE, parent.run_id, basis="b", mode="delete", include_forks=True)
    with pytest.raises(InvalidRequestError, match="mode"):
        await runtime.commands.erase_run.execute(ALICE, parent.run_id, basis="b", mode="shred")
    with pytest.raises(RunNotFoundError):
        await runtime.commands.erase_run.execute(ALICE, "run_x", basis="b", mode="delete")
    erased = await runtime.commands.erase_run.execute(ALICE, parent.run_id, basis="b", include_forks=True)
    assert erased.payloads > 0


async def test_a_fork_with_a_request_id_is_made_once(runtime: Runtime) -> None:
    """Without one each call makes another; the same id for another point is refused."""
    parent = await start(runtime)
    point = ForkPoint(before_node="writer")
    one = await runtime.commands.fork_run.execute(ALICE, parent.run_id, point, request_id="r")
    await runtime.commands.wait_run.execute(ALICE, one.run_id, timeout_s=30)
    again = await runtime.commands.fork_run.execute(ALICE, parent.run_id, point, request_id="r")
    other = await runtime.commands.fork_run.execute(ALICE, parent.run_id, point)
    assert (again.run_id, again.status) == (one.run_id, RunStatus.COMPLETED)
    assert other.run_id != one.run_id
    with pytest.raises(Exception, match="different request"):
        await runtime.commands.fork_run.execute(ALICE, parent.run_id, ForkPoint(before_sequence=2), request_id="r")
