"""One byte that makes a stored text something else than UTF-8, or another type, is found where it is: no other entry is accused."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from meshflow_grpc.cli.root import app
from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.finished_ledger import build, tampered, verified_now

if TYPE_CHECKING:
    from meshflow_grpc.ledger.checkpoint import Checkpoint

SEQ, RUN, SEQUENCE = 30, "run_09", 2
TEXTS = ("tenant_id", "kind", "node_id", "step_id", "time", "input", "output", "input_salt", "output_salt", "hash")
NOT_UTF_8 = "CAST(CAST({0} AS BLOB) || x'ff' AS TEXT)"


@pytest.fixture(scope="module", params=["plain", "encrypted"])
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Checkpoint]]:
    """The finished ledger and its heads."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    return path, asyncio.run(build(path, encrypted=request.param == "encrypted"))


def spoiled(path: Path, copy: Path, table: str, column: str, where: str) -> Path:
    """A copy in which a text has a byte that no UTF-8 has."""
    sql = f"UPDATE {table} SET {column} = {NOT_UTF_8.format(column)} WHERE {where}"

    def attack(connection: sqlite3.Connection) -> None:
        assert connection.execute(sql).rowcount == 1

    return tampered(path, copy, attack)


@pytest.mark.parametrize("column", [*TEXTS, "prev_hash"])
def test_an_entry_with_such_a_text_is_named_alone(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, column: str
) -> None:
    """The other entries of its page, and of its run, stay beyond doubt."""
    path, heads = ledger
    result = verified_now(spoiled(path, tmp_path / "copy.db", "ledger_entries", column, f"seq = {SEQ}"), heads[-1])
    assert result.log.faults == ()
    faults = {(run_id, fault.sequence) for run_id, each in result.runs.items() for fault in each.faults}
    assert faults == {(RUN, SEQUENCE)}


def test_an_entry_that_left_its_run_this_way_is_found_under_its_new_id(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path
) -> None:
    """The run lacks it, and what is verified as another run says whose it is."""
    path, heads = ledger
    result = verified_now(spoiled(path, tmp_path / "copy.db", "ledger_entries", "run_id", f"seq = {SEQ}"), heads[-1])
    assert [(fault.sequence, fault.description) for fault in result.runs[RUN].faults] == [
        (SEQUENCE, "sequence: entry 2 is missing")
    ]
    (stray,) = [each for run_id, each in result.runs.items() if not run_id.isprintable()]
    assert {fault.seq for fault in stray.faults if fault.sequence == SEQUENCE} == {SEQ}
    assert stray.run_id == "run_09\\udcff"


@pytest.mark.parametrize(
    "column", ["run_id", "tenant_id", "workflow", "status", "policy", "output", "head_hash", "labels"]
)
def test_a_row_of_a_run_with_such_a_text_is_found(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, column: str
) -> None:
    """The fault is the row's: no entry is named, and the other runs are verified."""
    path, heads = ledger
    result = verified_now(spoiled(path, tmp_path / "copy.db", "runs", column, f"run_id = '{RUN}'"), heads[-1])
    wrong = {run_id.rstrip("\udcff"): each for run_id, each in result.runs.items() if not each}
    assert set(wrong) == {RUN}
    assert result.log


@pytest.mark.parametrize("number", [2, 5])
def test_a_head_that_is_not_text_is_a_fault(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, number: int) -> None:
    """The verification goes on, also when it is the newest head; runs say that it cannot be believed."""
    path, heads = ledger
    result = verified_now(spoiled(path, tmp_path / "copy.db", "checkpoints", "note", f"number = {number}"), heads[-1])
    assert "cannot be believed: checkpoint: is not UTF-8" in result.log.faults[0].description
    assert all(result.runs.values()) == (number != 5)


def test_a_key_that_is_not_text_does_not_open(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """The payloads of its run are named, and no others."""
    path, heads = ledger
    with sqlite3.connect(path) as connection:
        if not connection.execute("SELECT count(*) FROM payload_keys").fetchone()[0]:
            return
    result = verified_now(
        spoiled(path, tmp_path / "copy.db", "payload_keys", "wrapped", f"run_id = '{RUN}'"), heads[-1]
    )
    assert {run_id for run_id, each in result.runs.items() if not each} == {RUN}


@pytest.mark.parametrize("output", ["table", "json", "jsonl"])
def test_the_command_prints_what_it_found(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, output: str) -> None:
    """Ids and node names that are not text are escaped, and the exit code says that something does not hold."""
    path, _ = ledger
    with sqlite3.connect(path) as connection:
        if connection.execute("SELECT count(*) FROM payload_keys").fetchone()[0]:
            return
    copy = spoiled(path, tmp_path / "copy.db", "ledger_entries", "run_id", f"seq = {SEQ}")
    copy = spoiled(copy, tmp_path / "second.db", "ledger_entries", "node_id", f"seq = {SEQ + 1}")
    shown = CliRunner().invoke(app, ["ledger", "verify", "--db", str(copy), "-o", output])
    assert shown.exit_code == 6, shown.output
    assert "udcff" in shown.stdout


async def test_an_id_that_no_text_can_hold_is_refused(tmp_path: Path) -> None:
    """It is the caller's mistake, not a ledger that is closed."""
    storage = await SqliteStorage.open(tmp_path / "ledger.db")
    with pytest.raises(InvalidRequestError, match="not valid Unicode"):
        await storage.get_run("acme", "\ud800")
    await storage.close()
