"""A ledger file is private, has one writer, and is not confused with other files."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.storage.sqlite.connection import open_writer
from meshflow_grpc.storage.sqlite.migrate import APPLICATION_ID
from tests.conformance.drafts import TENANT, create, step, verified, whole_run


def sql(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """Runs statements on the file as a user with the sqlite3 shell would; returns the last one's rows."""
    with closing(sqlite3.connect(path)) as connection:
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.commit()
        return rows


async def test_the_file_is_private_and_marked(tmp_path: Path) -> None:
    """Missing folders are made, the file is readable by its owner alone, and says whose it is."""
    path = tmp_path / "a" / "b" / "ledger.db"
    storage = await open_storage(f"sqlite:///{path}")
    await create(storage, "run_1")
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    await storage.close()
    assert sql(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]
    assert not path.with_name("ledger.db-wal").exists()


def test_payloads_are_in_no_temporary_file(tmp_path: Path) -> None:
    """What SQLite sets aside to undo a statement stays in memory (2): a temporary file would not be overwritten."""
    with closing(open_writer(tmp_path / "ledger.db", 1.0)) as connection:
        assert connection.execute("PRAGMA temp_store").fetchall() == [(2,)]


async def test_a_second_server_is_refused(tmp_path: Path) -> None:
    """The file has one writer: another one is refused by name until the first has closed."""
    path = str(tmp_path / "ledger.db")
    first = await open_storage(path)
    with pytest.raises(LedgerUnavailableError, match="in use by this process itself"):
        await open_storage(path)
    (tmp_path / "ledger.db.lock").write_text("4194303", encoding="ascii")
    with pytest.raises(LedgerUnavailableError, match=r"in use by another process \(pid 4194303\)"):
        await open_storage(path)
    await first.close()
    await (await open_storage(path)).close()


async def test_a_reader_works_beside_the_writer(tmp_path: Path) -> None:
    """Opened for reading only, the file can be read and verified while a server writes it; appends are refused."""
    path = str(tmp_path / "ledger.db")
    writer = await open_storage(path)
    reader = await open_storage(path, read_only=True)
    await whole_run(writer, "run_1")
    assert await verified(reader, "run_1")
    with pytest.raises(LedgerUnavailableError, match="reading only"):
        await reader.append("run_1", (step("run_1", 9),))
    await reader.close()
    await create(writer, "run_2")
    await writer.close()


async def test_a_missing_file_cannot_be_read(tmp_path: Path) -> None:
    """Reading needs a file."""
    with pytest.raises(LedgerUnavailableError, match="no ledger file"):
        await open_storage(str(tmp_path / "none.db"), read_only=True)


async def test_other_programs_files_are_left_alone(tmp_path: Path) -> None:
    """A database of another program, a newer schema, or a file that is no database is refused and unchanged."""
    foreign, newer, text = tmp_path / "foreign.db", tmp_path / "newer.db", tmp_path / "text.db"
    sql(foreign, "CREATE TABLE t (x)")
    sql(newer, f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 9999")
    text.write_text("not a database, but long enough to be taken for the header of one " * 20)
    before = text.read_bytes()
    for path, message in ((foreign, "another program"), (newer, "newer"), (text, "not a SQLite database")):
        with pytest.raises(LedgerUnavailableError, match=message):
            await open_storage(str(path))
    assert text.read_bytes() == before
    assert sql(foreign, "SELECT count(*) FROM sqlite_master") == [(1,)]


@pytest.mark.parametrize("url", ["", "redis://x", "sqlite:x", "sqlite:///"])
async def test_an_address_of_no_store_is_refused(url: str) -> None:
    """An address that names no store says what to give instead."""
    with pytest.raises(LedgerUnavailableError, match="file path"):
        await open_storage(url)


async def test_the_second_row_changed_by_hand_is_found(tmp_path: Path) -> None:
    """UPDATE ledger_entries SET output = ... WHERE seq = 2 is possible on a normal run, and verification names entry 2."""
    path = tmp_path / "ledger.db"
    storage = await open_storage(str(path))
    await whole_run(storage, "run_1")
    sql(path, """UPDATE ledger_entries SET output = '{"tampered": true}' WHERE seq = 2""")
    result = await verified(storage, "run_1")
    assert [(fault.seq, fault.sequence, fault.node_id) for fault in result.faults] == [(2, 2, "node_1")]
    assert "output" in result.faults[0].description
    rows = sql(path, "SELECT run_id, node_id, prev_hash, hash FROM ledger_entries ORDER BY seq")
    assert [row[2] for row in rows] == ["0" * 64, *(row[3] for row in rows[:-1])]
    await storage.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET record = x'ff00' WHERE sequence = 3",
        "UPDATE ledger_entries SET output = CAST(x'22ff22' AS TEXT) WHERE sequence = 3",
        "UPDATE ledger_entries SET node_id = CAST(x'ff' AS TEXT) WHERE sequence = 3",
        "UPDATE ledger_entries SET sequence = 'x' WHERE sequence = 3",
        "UPDATE ledger_entries SET sequence = CAST(x'ff' AS TEXT) WHERE sequence = 3",
        "UPDATE ledger_entries SET run_id = 'run_9' WHERE sequence = 3",
        "UPDATE ledger_entries SET hash = 5 WHERE sequence = 3",
        "DELETE FROM ledger_entries WHERE sequence = 3",
        "DELETE FROM ledger_entries WHERE sequence > 3",
        "UPDATE runs SET policy = CAST(x'ff' AS TEXT)",
        "UPDATE runs SET policy = '{'",
        "UPDATE runs SET cost_nano_usd = 1",
        "UPDATE runs SET output = 'other'",
        "DELETE FROM runs",
    ],
)
async def test_whatever_was_done_to_the_file_verification_answers(tmp_path: Path, statement: str) -> None:
    """Rows that are damaged in any way are read as they are, and found."""
    path = tmp_path / "ledger.db"
    storage = await open_storage(str(path))
    await whole_run(storage, "run_1")
    sql(path, statement)
    result = await verified(storage, "run_1")
    assert not result
    if "sequence" in statement:
        assert result.faults[0].sequence == 3 or "missing from the end" in result.faults[0].description
    await storage.close()


async def test_a_damaged_run_harms_no_other(tmp_path: Path) -> None:
    """Reading or appending to a run whose row is damaged says so; other runs go on."""
    path = tmp_path / "ledger.db"
    storage = await open_storage(str(path))
    await create(storage, "run_1")
    await create(storage, "run_2")
    await storage.close()
    sql(path, "UPDATE runs SET status = CAST(x'ff' AS TEXT) WHERE run_id = 'run_1'")
    storage = await open_storage(str(path))
    with pytest.raises(LedgerUnavailableError, match="damaged"):
        await storage.append("run_1", (step("run_1", 1),))
    await storage.append("run_2", (step("run_2", 1),))
    with pytest.raises(LedgerUnavailableError):
        await storage.get_run(TENANT, "run_1")
    assert await verified(storage, "run_2")
    await storage.close()
