"""ReplayLedger.write records steps of other programs; delete_run and anonymize_run take them away again."""

from __future__ import annotations

import asyncio
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc import ReplayLedger, StepRecord
from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.domain.errors import (
    EntryAlreadyRecordedError,
    InvalidRequestError,
    LedgerUnavailableError,
    RunConflictError,
    RunImmutableError,
    RunNotFoundError,
)
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import Principal, RunRequest
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.drafts import ENDED, create, finished
from tests.fakes.providers import FakeProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.postgres_cluster import PostgresCluster

ALICE = Principal("p-alice", "default", method="test")
FOUR_STEPS = "{name: four, entry: a, nodes: {a: {}, b: {}, c: {}, d: {}}, edges: [a -> b, b -> c, c -> d]}"
REFERENCE = Path(__file__).parents[4] / "shared" / "seeds" / "004-core-api-reference.txt"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    return cluster.new_database()


async def written(url: str, run_id: str, steps: int = 4) -> ReplayLedger:
    """A run of some steps that has ended."""
    ledger = ReplayLedger(url)
    async with ledger:
        for number in range(1, steps + 1):
            await ledger.write(StepRecord(run_id, f"node_{number}", output=f"{run_id} says {number}", cost_usd=0.25))
        await ledger.finish_run(run_id, output="done")
    return ledger


async def governed(url: str, runs: int) -> list[str]:
    """Runs of four steps that a server executed."""
    storage = await open_storage(url)
    runtime = assemble(Outside(storage, FakeProvider()), RuntimeOptions())
    request = RunRequest(task="tides", workflow_yaml=FOUR_STEPS)
    done = [await runtime.commands.run.execute(ALICE, request) for _ in range(runs)]
    await runtime.engine.drain(5)
    await storage.close()
    return [run.run_id for run in done]


async def test_steps_are_chained_summed_and_read_back(url: str) -> None:
    """Also one that was refused; totals and states follow from the records, and the chain verifies."""
    ledger = ReplayLedger(url)
    first = await ledger.write(
        StepRecord(
            "run-1", "writer", "text", "task", cost_usd=0.5, input_tokens=3, output_tokens=4, metadata={"k": "v"}
        )
    )
    await ledger.write(
        StepRecord("run-1", "sender", verdict="denied", blocked_by="tool_permission", reason="not allowed")
    )
    await ledger.finish_run("run-1", status="blocked", reason="a step was denied")
    summary = await ledger.run_summary("run-1")
    assert (summary["status"], summary["steps"], summary["total_tokens"], summary["total_cost_usd"]) == (
        "blocked",
        1,
        7,
        0.5,
    )
    assert [e.kind for e in await ledger.get_run("run-1")] == [
        EntryKind.RUN_STARTED,
        EntryKind.STEP_COMMITTED,
        EntryKind.STEP_DENIED,
        EntryKind.RUN_FINISHED,
    ]
    assert (await ledger.load_state("run-1", step_index=0)).hash == first.hash
    assert first.facts["recorded"] is True
    assert await ledger.verify_chain("run-1")


async def test_a_step_is_recorded_once_and_an_ended_run_takes_none(url: str) -> None:
    """By (step_id, attempt); wrong fields are named, all of them."""
    ledger = await written(url, "run-1", 1)
    with pytest.raises(RunConflictError):
        await ledger.write(StepRecord("run-1", "late"))
    record = StepRecord("run-2", "writer", step_id="s", attempt=2)
    await ledger.write(record)
    with pytest.raises(EntryAlreadyRecordedError):
        await ledger.write(record)
    with pytest.raises(InvalidRequestError) as wrong:
        StepRecord("", "n", verdict="perhaps", cost_usd=float("nan"), attempt=0)
    assert [v.field for v in wrong.value.violations] == ["run_id", "verdict", "attempt", "cost_usd"]
    with pytest.raises(InvalidRequestError, match="attempt: must be a whole number"):
        StepRecord("run-2", "n", attempt=True)
    with pytest.raises(InvalidRequestError, match="status"):
        await ledger.finish_run("run-2", status="running")


async def test_runs_are_deleted_unless_immutable(url: str) -> None:
    """The count is that of its entries, and 0 the second time; the database keeps immutable runs, and so do we, by name."""
    ledger = await written(url, "run-1", 2)
    assert await ledger.delete_run("run-1", principal_id="p-dpo", basis="gdpr art. 17") == 4
    assert await ledger.delete_run("run-1") == 0
    assert await ledger.anonymize_run("run-1") == 0
    assert await ledger.list_runs() == []
    deletion = (await ledger.verify_chain("run-1")).deletion
    assert deletion is not None
    assert (deletion.entries, deletion.principal_id) == (4, "p-dpo")
    storage = await open_storage(url)
    await create(storage, "run_2", "default", policy={"immutable_audit": True})
    await storage.append("run_2", (finished("run_2", tenant_id="default"),), ENDED)
    await storage.close()
    with pytest.raises(RunImmutableError):
        await ledger.delete_run("run_2")
    with pytest.raises(RunNotFoundError):
        await ledger.delete_run("run_3")
    assert await ledger.anonymize_run("run_2") == 2


def test_a_server_leaves_recorded_runs_alone(tmp_path: Path) -> None:
    """A run that a program records goes on when a server was started in between."""
    url = str(tmp_path / "ledger.db")
    ledger = ReplayLedger(url).sync()
    ledger.write(StepRecord("run-1", "a", output="one"))

    async def served() -> int:
        storage = await open_storage(url)
        runtime = assemble(Outside(storage, FakeProvider()), RuntimeOptions())
        resumed = await runtime.engine.recover()
        await runtime.engine.drain(5)
        await storage.close()
        return resumed

    assert asyncio.run(served()) == 0
    ledger.write(StepRecord("run-1", "b", output="two"))
    assert ledger.run_summary("run-1")["status"] == "running"


async def test_recorded_runs_are_forked_and_go_on_by_hand(url: str) -> None:
    """Also after the last step of one that has ended; a fork is forked like any run, what was erased is not."""
    ledger = await written(url, "run-1")
    forked = await ledger.fork("run-1", from_step=3)
    await ledger.write(StepRecord(forked, "other", output="another way"))
    await ledger.finish_run(forked)
    whole = await ledger.fork("run-1", from_step=4)
    again = await ledger.fork(forked, from_step=1)
    assert [(await ledger.get_run(run))[0].facts["forked_from"]["steps"] for run in (forked, whole, again)] == [3, 4, 4]
    assert all([await ledger.verify_chain(run) for run in (forked, whole, again)])
    assert (await ledger.diff("run-1", forked)).only_in_b == ["other"]
    with pytest.raises(InvalidRequestError, match="from_step"):
        await ledger.fork("run-1", from_step=5)
    await ledger.anonymize_run("run-1")
    await ledger.anonymize_run(forked)
    for erased in ("run-1", forked):
        with pytest.raises(RunConflictError, match="erased"):
            await ledger.fork(erased, from_step=1)


async def test_a_server_does_not_fork_what_it_cannot_go_on_with(tmp_path: Path) -> None:
    """A recorded run names no workflow: the refusal says whose fork that is."""
    url = str(tmp_path / "ledger.db")
    ledger = await written(url, "run-1", 2)
    forked = await ledger.fork("run-1", from_step=1)
    storage = await open_storage(url)
    runtime = assemble(Outside(storage, FakeProvider()), RuntimeOptions())
    for run_id, point in (("run-1", ForkPoint(before_sequence=2)), (forked, ForkPoint(before_node="node_1"))):
        with pytest.raises(RunConflictError, match="recorded by hand"):
            await runtime.commands.fork_run.execute(ALICE, run_id, point)
    await runtime.engine.drain(5)
    await storage.close()


def test_what_is_no_step_is_refused_by_name() -> None:
    """Types, sizes, what is not JSON, and ids that a database or a terminal could not take."""
    wrong: dict[str, Any] = {
        "run_id": "r\0",
        "node_id": "n" * 129,
        "step_id": "a\nb",
        "output": float("nan"),
        "input": object(),
        "input_tokens": 1.5,
        "cost_usd": "1",
        "carbon_g": float("inf"),
        "latency_ms": 10**20,
    }
    for name, value in wrong.items():
        with pytest.raises(InvalidRequestError) as refused:
            StepRecord(**{"run_id": "r", "node_id": "n", name: value})
        assert [v.field for v in refused.value.violations] == [name]
    with pytest.raises(InvalidRequestError, match="metadata"):
        StepRecord("r", "n", metadata="x")  # type: ignore[arg-type]


def test_a_misspelt_ledger_is_not_made(tmp_path: Path) -> None:
    """Only what records makes a new file."""
    ledger = ReplayLedger(str(tmp_path / "typo.db")).sync()
    calls: list[Callable[[str], object]] = [ledger.delete_run, ledger.anonymize_run, ledger.finish_run, ledger.get_run]
    for call in calls:
        with pytest.raises(LedgerUnavailableError, match="no ledger file"):
            call("run-1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference is not beside the repository")
async def test_the_references_snippet_runs(url: str) -> None:
    """As written, but for the names of the package and of the ledger."""
    ids = dict(zip(("run-id", "run-a", "run-b"), await governed(url, 3), strict=True))
    text = REFERENCE.read_text(encoding="utf-8")
    sections = [
        text.split(f"\n{name}¶\n")[1].split(f"\n{until}¶\n")[0]
        for name, until in (("ReplayLedger", "RunDiff"), ("RunDiff", "StateGraph"))
    ]
    code = "\n".join(sections).replace("from meshflow import", "from meshflow_grpc import")
    code = re.sub(r'ReplayLedger\("[^"]+"\)', "ReplayLedger(url)", code)
    for name, run_id in ids.items():
        code = code.replace(f'"{name}"', f'"{run_id}"')
    names: dict[str, Any] = {"url": url, "step_record": StepRecord("run-c", "node", output="x")}
    exec(f"async def snippet():\n{textwrap.indent(code, '    ')}\n    return locals()\n", names)
    found = await names["snippet"]()

    assert [e.kind for e in found["steps"]][1:5] == [EntryKind.STEP_COMMITTED] * 4
    assert set(found["run_ids"]) == {*ids.values(), "run-c"}
    assert found["step"].node_id == "c"
    assert found["diff"].common == ["a", "b", "c", "d"]
    assert found["new_id"].startswith("run_")
    assert found["chain"]
    assert ids["run-id"] in found["json"]
    assert ids["run-id"] in found["csv"]
    assert found["n"] == 0
    assert ids["run-id"] not in await ReplayLedger(url).list_runs()
