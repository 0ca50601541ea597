"""ReplayLedger reads, compares, verifies, exports and anonymizes runs of a ledger file."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc import ReplayLedger, RunDiff
from meshflow_grpc.domain.errors import InvalidRequestError, LedgerUnavailableError, RunConflictError, RunNotFoundError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.ledger.chain import Committer, link
from meshflow_grpc.ledger.run_diff import diff_runs
from meshflow_grpc.ledger.run_export import run_csv
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.replay.step_record import StepRecord
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.drafts import ENDED, TENANT, create, finished, new_run, step, whole_run

if TYPE_CHECKING:
    from pathlib import Path

    from meshflow_grpc.domain.ledger_entry import LedgerEntry


@pytest.fixture
async def ledger(tmp_path: Path) -> ReplayLedger:
    """Two finished runs, of three and two steps, and one that goes on."""
    url = str(tmp_path / "ledger.db")
    storage = await open_storage(url)
    await whole_run(storage, "run_1")
    await create(storage, "run_2")
    denied = step("run_2", 2, kind=EntryKind.STEP_DENIED)
    await storage.append("run_2", (step("run_2", 1), denied, finished("run_2")), ENDED)
    await create(storage, "run_3")
    await storage.append("run_3", (step("run_3", 1),), RunChange())
    await storage.close()
    return ReplayLedger(url, tenant_id=TENANT)


async def test_runs_are_listed_read_and_summed(ledger: ReplayLedger) -> None:
    """Newest first; entries in order; the summary has totals and head; a step is found by its index."""
    entries = await ledger.get_run("run_1")
    summary = await ledger.run_summary("run_1")
    assert await ledger.list_runs() == ["run_3", "run_2", "run_1"]
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
    assert (summary["status"], summary["steps"], summary["total_tokens"]) == ("completed", 3, 60)
    assert summary["ledger_head"] == entries[-1].hash
    assert (await ledger.load_state("run_1", step_index=2)).node_id == "node_3"
    for beyond in (-1, 3):
        with pytest.raises(InvalidRequestError, match="step_index"):
            await ledger.load_state("run_1", step_index=beyond)


async def test_a_diff_names_nodes_verdicts_and_deltas(ledger: ReplayLedger) -> None:
    """Nodes of one run only, common ones, those that ended otherwise, and B minus A."""
    diff = await ledger.diff("run_1", "run_2")
    assert isinstance(diff, RunDiff)
    assert (diff.only_in_a, diff.only_in_b, diff.common) == (["node_3"], [], ["node_1", "node_2"])
    assert [(c["node_id"], c["verdict_a"], c["verdict_b"]) for c in diff.changed] == [("node_2", "committed", "denied")]
    assert (diff.cost_delta_usd, diff.token_delta) == (-9e-6, -60)


async def test_anonymized_runs_verify(ledger: ReplayLedger) -> None:
    """Payloads are counted once, the chain stays valid, exports hold nothing of them; a run that goes on is refused."""
    assert await ledger.verify_chain("run_1")
    assert await ledger.anonymize_run("run_1", principal_id="p-dpo") == 8
    assert await ledger.anonymize_run("run_1", principal_id="p-dpo") == 0
    result = await ledger.verify_chain("run_1")
    assert result
    assert result.erasures[0].principal_id == "p-dpo"
    assert "é1" not in await ledger.export_run("run_1")
    with pytest.raises(RunConflictError):
        await ledger.anonymize_run("run_3")


async def test_exports_hold_the_run(ledger: ReplayLedger) -> None:
    """JSON has run and entries, CSV one line an entry."""
    exported = json.loads(await ledger.export_run("run_1"))
    lines = list(csv.DictReader(io.StringIO(await ledger.export_run_csv("run_1"))))
    assert exported["run"]["status"] == "completed"
    assert [each["hash"] for each in exported["entries"]] == [line["hash"] for line in lines]


async def test_another_tenants_runs_are_not_found(ledger: ReplayLedger, tmp_path: Path) -> None:
    """Every method is scoped to the tenant."""
    other = ReplayLedger(str(tmp_path / "ledger.db"), tenant_id="other")
    assert await other.list_runs() == []
    for call in (other.get_run, other.run_summary, other.verify_chain, other.export_run, other.anonymize_run):
        with pytest.raises(RunNotFoundError):
            await call("run_1")
    with pytest.raises(RunNotFoundError):
        await other.diff("run_1", "run_2")
    assert (await ledger.verify_chain("run_1")).payloads_erased == 0


async def test_reading_creates_nothing(tmp_path: Path) -> None:
    """A path without a ledger is an error."""
    with pytest.raises(LedgerUnavailableError):
        await ReplayLedger(str(tmp_path / "none.db")).list_runs()


@pytest.mark.parametrize("index", [-1, 2, True, 1.0, "1", None])
async def test_a_step_that_there_is_not_is_named(tmp_path: Path, index: Any) -> None:
    """Also what is no whole number: the answer says what the run has."""
    ledger = ReplayLedger(str(tmp_path / "ledger.db"))
    for node in ("one", "two"):
        await ledger.write(StepRecord("run_1", node))
    for call in (ledger.load_state("run_1", step_index=index), ledger.fork("run_1", index)):
        with pytest.raises(InvalidRequestError, match="between 0 and 1, got"):
            await call


async def test_a_script_inside_a_running_loop_is_told_what_to_await(tmp_path: Path) -> None:
    """It would wait for itself."""
    with pytest.raises(RuntimeError, match="await ReplayLedger's own methods"):
        ReplayLedger(str(tmp_path / "ledger.db")).sync().list_runs()


def made(run_id: str, steps: list[tuple[int, bool]]) -> list[LedgerEntry]:
    """Links steps that ended well or not."""
    kinds = {True: EntryKind.STEP_COMMITTED, False: EntryKind.STEP_DENIED}
    drafts = [step(run_id, node, kind=kinds[good]) for node, good in steps]
    return [
        link(draft, Committer(draft.tenant_id, run_id, n, lambda: bytes(32)), n, "0" * 64)
        for n, draft in enumerate(drafts, 1)
    ]


STEPS = st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=8)


@given(STEPS, STEPS)
def test_diffs_are_antisymmetric(a: list[tuple[int, bool]], b: list[tuple[int, bool]]) -> None:
    """Turned round, the sides swap; a run does not differ from itself."""
    run, entries_a, entries_b = new_run("r"), made("r", a), made("r", b)
    there, back = diff_runs(run, entries_a, run, entries_b), diff_runs(run, entries_b, run, entries_a)
    assert (there.only_in_a, there.only_in_b, there.common) == (back.only_in_b, back.only_in_a, back.common)
    assert [c["node_id"] for c in there.changed] == [c["node_id"] for c in back.changed]
    assert diff_runs(run, entries_a, run, entries_a).changed == []


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\u00a0+", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_formulas_are_inert_in_csv(start: str) -> None:
    """A cell that a spreadsheet would run starts with an apostrophe (OWASP)."""
    entry = made("r", [(1, True)])[0]._replace(node_id=f"{start}cmd|' /C calc'!A0")
    line = next(csv.DictReader(io.StringIO(run_csv([entry]), newline="")))
    assert line["node_id"] == f"'{start}cmd|' /C calc'!A0"


def test_importing_the_package_is_cheap() -> None:
    """Public names are loaded when asked for."""
    code = "import sys, meshflow_grpc; print(any(m.startswith('meshflow_grpc.') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
