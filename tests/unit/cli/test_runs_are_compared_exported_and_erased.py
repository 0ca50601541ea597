"""``meshflow ledger diff|export|erase`` on a ledger file, without a server."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.test_ledger_commands_read_the_file import record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Finished

    Meshflow = Callable[..., Finished]


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """A ledger of two runs."""
    path = tmp_path / "ledger.db"
    asyncio.run(record(path, "run_a", "run_b"))
    return str(path)


def test_a_diff_has_a_row_for_each_node(ledger: str, meshflow: Meshflow) -> None:
    """Two runs that did the same differ in nothing."""
    table = meshflow("ledger", "diff", "run_a", "run_b", "--db", ledger)
    found = json.loads(meshflow("ledger", "diff", "run_a", "run_b", "--db", ledger, "-o", "json").out)

    assert table.code == 0
    assert [line.split() for line in table.out.splitlines()[1:2]] == [["writer", "same"]]
    assert (found[0] if isinstance(found, list) else found)["common"] == ["writer"]


def test_an_export_goes_to_stdout_or_to_a_new_file(ledger: str, meshflow: Meshflow, tmp_path: Path) -> None:
    """JSON by default, CSV on request; a file that exists is not replaced."""
    assert len(json.loads(meshflow("ledger", "export", "run_a", "--db", ledger).out)["entries"]) == 3
    out = tmp_path / "run.csv"
    arguments = ("ledger", "export", "run_a", "--format", "csv", "--out", str(out), "--db", ledger)
    assert meshflow(*arguments).code == 0
    assert len(list(csv.DictReader(io.StringIO(out.read_text())))) == 3
    before = out.read_text()
    assert meshflow(*arguments).code == 2
    assert out.read_text() == before


def test_erasing_asks_first_and_leaves_a_valid_chain(ledger: str, meshflow: Meshflow) -> None:
    """Without an answer nothing is erased; a second time there is nothing left."""
    erase = ("ledger", "erase", "run_a", "--basis", "gdpr art. 17", "--by", "dpo", "--db", ledger)
    assert meshflow(*erase).code != 0
    assert '"in' in meshflow("ledger", "export", "run_a", "--db", ledger).out
    assert "2 payloads erased" in meshflow(*erase, "--yes").out
    assert '"in' not in json.loads(meshflow("ledger", "export", "run_a", "--db", ledger).out)["entries"]
    assert "nothing left" in meshflow(*erase, "--yes").out
    assert meshflow("ledger", "verify", "run_a", "--db", ledger).code == 0


def test_unknown_runs_exit_with_6(ledger: str, meshflow: Meshflow) -> None:
    """By every command."""
    for arguments in (("diff", "run_a", "run_x"), ("export", "run_x"), ("erase", "run_x", "--basis", "b", "--yes")):
        assert meshflow("ledger", *arguments, "--db", ledger).code == 6


def test_a_fork_needs_one_point_that_exists(ledger: str, meshflow: Meshflow) -> None:
    """Without one, or with one the run does not have, nothing is recorded and the field is named."""
    none = meshflow("ledger", "fork", "run_a", "--db", ledger)
    unknown = meshflow("ledger", "fork", "run_a", "--before-node", "nobody", "--db", ledger)

    assert (none.code, unknown.code) == (2, 2)
    assert "before_sequence" in none.err
    assert "nobody" in unknown.err


def test_a_deleted_run_leaves_a_tombstone(ledger: str, meshflow: Meshflow) -> None:
    """Other runs stay; the whole ledger verifies but for its missing heads, and says who deleted what."""
    delete = ("ledger", "erase", "run_a", "--mode", "delete", "--basis", "gdpr art. 17", "--by", "dpo", "--db", ledger)
    assert meshflow(*delete).code != 0
    assert "3 entries deleted" in meshflow(*delete, "--yes").out
    assert "nothing left" in meshflow(*delete, "--yes").out
    told = meshflow("ledger", "verify", "run_a", "--db", ledger)
    assert told.code == 0
    assert "3 entries deleted at" in told.out
    assert "by dpo" in told.out
    assert meshflow("ledger", "verify", "run_b", "--db", ledger).code == 0
    assert "run_deleted" in meshflow("ledger", "show", "run_a", "--db", ledger).out
    assert meshflow("ledger", "export", "run_a", "--db", ledger).code == 6
