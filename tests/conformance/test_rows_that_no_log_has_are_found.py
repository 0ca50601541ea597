"""Rows put beside those of the log, and heads that are gone, are found although every entry is whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.ledger.deletion import deletion_of
from tests.conformance.finished_ledger import ENTRIES, build, tampered, verified_now

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from meshflow_grpc.ledger.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Checkpoint]]:
    """The finished ledger and its heads."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    return path, asyncio.run(build(path))


@pytest.mark.parametrize(("level", "idx"), [(9, 7), (1, ENTRIES), (0, -1), (63, 0)])
def test_a_subtree_that_no_entries_have_is_found(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, level: int, idx: int
) -> None:
    """Left where the log would grow to, it would stop the log for good; the verification says so before."""
    sql = f"INSERT INTO merkle_nodes VALUES ({level}, {idx}, zeroblob(32))"
    result = verified_now(tampered(ledger[0], tmp_path / "copy.db", lambda connection: connection.execute(sql)))
    assert "some were added or removed" in result.log.faults[-1].description


@pytest.mark.parametrize("condition", [f"size = {ENTRIES}", "size > 0"], ids=["the newest", "all"])
def test_heads_that_are_gone_are_missed_by_one_that_was_kept(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, condition: str
) -> None:
    """The entries are still those under the kept head; that the ledger had signed it is no longer on record."""
    path, heads = ledger
    sql = f"DELETE FROM checkpoints WHERE {condition}"
    copy = tampered(path, tmp_path / "copy.db", lambda connection: connection.execute(sql))
    descriptions = [fault.description for fault in verified_now(copy, heads[-1]).log.faults]
    assert any(f"the one you kept of {ENTRIES}: heads were deleted" in each for each in descriptions)
    assert not any("rollback" in each for each in descriptions)


def test_a_tree_that_is_gone_with_its_heads_is_missed(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """What is left looks like a ledger whose log never began."""
    path, heads = ledger

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM checkpoints")
        connection.execute("DELETE FROM merkle_nodes")

    (fault,) = verified_now(tampered(path, tmp_path / "copy.db", attack), heads[2]).log.faults
    assert "heads were deleted" in fault.description


def test_a_second_row_of_a_run_is_found(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """It takes a table without its primary key; lists would show both."""

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE copy AS SELECT * FROM runs")
        connection.execute("INSERT INTO copy SELECT * FROM runs WHERE run_id = 'run_07'")
        connection.execute("DROP TABLE runs")
        connection.execute("ALTER TABLE copy RENAME TO runs")

    result = verified_now(tampered(ledger[0], tmp_path / "copy.db", attack))
    (fault,) = result.log.faults
    assert "run run_07 has 2 rows" in fault.description


@pytest.mark.parametrize("seqs", [[[1, 1], [3, 9]], [[1, 1]], []], ids=["more", "fewer", "none"])
def test_a_tombstone_accounts_for_as_many_entries_as_its_run_had(seqs: list[list[int]]) -> None:
    """One that names the places of another run's entries as well does not cover up for them."""
    record = {
        "run_id": "run_1",
        "kind": EntryKind.RUN_DELETED.value,
        "sequence": 3,
        "time": "t",
        "facts": {"actor": {"principal": "p"}, "basis": "b", "deleted": {"last": 2, "seqs": seqs}},
    }
    with pytest.raises(ValueError, match="each once"):
        deletion_of(record)
