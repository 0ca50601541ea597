"""Rows put beside those of the log, and heads that are gone, are found although every entry is whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.ledger.deletion import deletion_of
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.drafts import verified, whole_run
from tests.conformance.finished_ledger import ENTRIES, build, tampered, verified_now

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from meshflow_grpc.ledger.checkpoint import Checkpoint
    from tests.postgres_cluster import PostgresCluster


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Checkpoint]]:
    """The finished ledger and its heads."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    return path, asyncio.run(build(path))


@pytest.mark.parametrize(("level", "idx"), [(9, 7), (1, ENTRIES), (0, -1), (63, 0), (0, 1 << 60)])
def test_a_subtree_that_no_entries_have_is_found(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, level: int, idx: int
) -> None:
    """Left where the log would grow to, it would stop the log for good; the verification says so before."""
    sql = f"INSERT INTO merkle_nodes VALUES ({level}, {idx}, zeroblob(32))"
    result = verified_now(tampered(ledger[0], tmp_path / "copy.db", lambda connection: connection.execute(sql)))
    assert "some were added or removed" in result.log.faults[-1].description


def test_a_head_of_any_size_costs_no_more_than_what_is_stored(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path
) -> None:
    """A run without its end is looked for up to the newest head, which may have been forged."""
    sql = f"UPDATE checkpoints SET size = {1 << 60} WHERE size = {ENTRIES}"

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute(sql)
        connection.execute("DELETE FROM ledger_entries WHERE run_id = 'run_07' AND kind = 'run_finished'")

    result = verified_now(tampered(ledger[0], tmp_path / "copy.db", attack))
    assert any("rollback" in fault.description for fault in result.log.faults)
    assert any("was deleted" in fault.description for fault in result.runs["run_07"].faults)


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


@pytest.mark.parametrize("value", ["NULL", "x'61636d65'"], ids=["null", "blob"])
def test_a_run_whose_tenant_is_no_text_does_not_end_the_verification(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, value: str
) -> None:
    """It cannot be looked up any more; all others are verified."""

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE copy AS SELECT * FROM runs")
        connection.execute("DROP TABLE runs")
        connection.execute("ALTER TABLE copy RENAME TO runs")
        connection.execute(f"UPDATE runs SET tenant_id = {value} WHERE run_id = 'run_07'")

    result = verified_now(tampered(ledger[0], tmp_path / "copy.db", attack))
    (fault,) = result.log.faults
    assert "id 'run_07' of a run are not both texts" in fault.description
    assert len(result.runs) == 19


def test_a_record_stored_as_a_text_is_found_before_it_is_in_the_log(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path
) -> None:
    """Its bytes are the same, and the log could not take it in."""

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM checkpoints")
        connection.execute("DELETE FROM merkle_nodes")
        connection.execute("UPDATE ledger_entries SET record = CAST(record AS TEXT) WHERE seq = 30")

    result = verified_now(tampered(ledger[0], tmp_path / "copy.db", attack))
    assert [(fault.sequence, fault.seq) for fault in result.runs["run_09"].faults] == [(2, 30)]


@pytest.mark.postgres
async def test_an_entry_before_the_first_is_found_on_postgresql(postgres: PostgresCluster) -> None:
    """No caller is ever shown it, and the verification of its run alone reads it all the same."""
    url = postgres.new_database()
    storage = await open_storage(url, pool_min=1, pool_max=2)
    await whole_run(storage, "run_1")
    others = "run_id, tenant_id, kind, node_id, attempt, time, prev_hash, hash, record"
    connection = await asyncpg.connect(url)
    await connection.execute(
        f"INSERT INTO ledger_entries (seq, sequence, step_id, {others}) "
        f"SELECT 99, -1, 'other', {others} FROM ledger_entries WHERE run_id = 'run_1' AND sequence = 2"
    )
    await connection.close()
    result = await verified(storage, "run_1")
    assert {fault.seq for fault in result.faults} == {99}
    await storage.close()
