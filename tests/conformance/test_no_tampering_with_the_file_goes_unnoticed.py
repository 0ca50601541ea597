"""Whatever is done to a finished ledger of 20 runs is found, and the entry is named; an untouched one raises no alarm."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.domain.stored_row import EntryRow
from meshflow_grpc.ledger.canonical import decode, encode
from meshflow_grpc.ledger.chain import entry_hash
from meshflow_grpc.ledger.merkle_nodes import CompactRange
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.finished_ledger import ENTRIES, RUNS, STEPS, build, tampered, verified_now
from tests.fakes.log_keys import NEW_KEY, publisher

if TYPE_CHECKING:
    from meshflow_grpc.ledger.checkpoint import Checkpoint

LAST = STEPS + 2


@pytest.fixture(scope="module", params=["plain", "encrypted"])
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Checkpoint]]:
    """The finished ledger, its payloads plain or encrypted, and its heads."""
    import asyncio

    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    return path, asyncio.run(build(path, encrypted=request.param == "encrypted"))


def flipped(value: object, chance: random.Random) -> object:
    """Changes one byte of a value."""
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(8))
    raw = bytearray(value if isinstance(value, bytes) else str(value or "x").encode())
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(7)
    return bytes(raw) if isinstance(value, bytes) else raw.decode("utf-8", "replace")


def set_column(connection: sqlite3.Connection, seq: int, column: str, value: object) -> None:
    """Writes a column past every constraint that can be passed."""
    if column == "seq":
        connection.execute("UPDATE ledger_entries SET seq = -1 WHERE seq = ?", (value,))
    connection.execute(f"UPDATE ledger_entries SET {column} = ? WHERE seq = ?", (value, seq))


def place(connection: sqlite3.Connection, seq: int) -> tuple[str, int]:
    """Run and sequence of an entry."""
    row = connection.execute("SELECT run_id, sequence FROM ledger_entries WHERE seq = ?", (seq,)).fetchone()
    return str(row[0]), int(row[1])


def test_an_untouched_ledger_raises_no_alarm(ledger: tuple[Path, list[Checkpoint]]) -> None:
    """Every entry is checked, under every head that was kept."""
    path, heads = ledger
    result = verified_now(path, *heads)
    assert result.valid, result
    assert (result.log.entries_checked, result.log.size, result.log.pending) == (ENTRIES, ENTRIES, 0)
    assert len(result.runs) == RUNS


@pytest.mark.parametrize("column", EntryRow._fields)
def test_one_changed_byte_of_any_column_is_found(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, column: str
) -> None:
    """In entries of several runs; the entry is named by its run and place or by its seq."""
    path, heads = ledger
    chance = random.Random(column)
    for number, seq in enumerate(chance.sample(range(1, ENTRIES + 1), 4)):
        told: dict[str, Any] = {}

        def attack(connection: sqlite3.Connection, seq: int = seq, told: dict[str, Any] = told) -> None:
            told["run_id"], told["sequence"] = place(connection, seq)
            (before,) = connection.execute(f"SELECT {column} FROM ledger_entries WHERE seq = ?", (seq,)).fetchone()
            set_column(connection, seq, column, flipped(before, chance))

        result = verified_now(tampered(path, tmp_path / f"{number}.db", attack), heads[-1])
        assert not result.valid, (column, seq)
        assert result.names(seq=seq, **told), (column, seq, result)


@pytest.mark.parametrize(
    ("condition", "gone"),
    [
        ("seq = 1", [1]),
        (f"seq = {ENTRIES // 2}", [ENTRIES // 2]),
        (f"seq = {ENTRIES}", [ENTRIES]),
        (f"seq > {ENTRIES - 7}", [ENTRIES - 6]),
        ("run_id = 'run_07'", [8, 28, 48, 68, 88, 108]),
        (f"run_id = 'run_07' AND sequence = {LAST}", [108]),
    ],
    ids=["first", "middle", "last", "last seven", "whole run", "end of a run"],
)
def test_deleted_entries_are_found(
    ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, condition: str, gone: list[int]
) -> None:
    """Also together with the row of the run; each gap is named by seq."""
    path, heads = ledger

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute(f"DELETE FROM ledger_entries WHERE {condition}")
        connection.execute("DELETE FROM runs WHERE run_id NOT IN (SELECT run_id FROM ledger_entries)")

    result = verified_now(tampered(path, tmp_path / "copy.db", attack), heads[-1])
    assert not result.log
    assert {fault.seq for fault in result.log.faults if "deleted" in fault.description} == set(gone)


def test_a_truncated_run_with_a_rewritten_row_is_found(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """The row agrees with what is left; the log still knows that something is gone, also when only the run is verified."""
    path, heads = ledger

    def attack(connection: sqlite3.Connection) -> None:
        rows = "SELECT hash FROM ledger_entries WHERE run_id = 'run_07' AND sequence = 5"
        (head,) = connection.execute(rows).fetchone()
        connection.execute("DELETE FROM ledger_entries WHERE run_id = 'run_07' AND sequence = 6")
        connection.execute(
            "UPDATE runs SET status = 'running', entries = 5, head_hash = ?, output = '', output_salt = NULL, "
            "reason = NULL, reason_salt = NULL, update_time = (SELECT time FROM ledger_entries WHERE run_id = 'run_07' "
            "AND sequence = 5) WHERE run_id = 'run_07'",
            (head,),
        )

    result = verified_now(tampered(path, tmp_path / "copy.db", attack), heads[-1])
    (fault,) = result.runs["run_07"].faults
    assert (fault.sequence, fault.seq) == (6, 108)
    assert result.names(seq=108)


def test_swapped_rows_are_found(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """Two entries that exchanged their places in the ledger, of one run and of two, are both named."""
    path, heads = ledger
    for number, (one, other) in enumerate(((8, 28), (31, 32))):

        def attack(connection: sqlite3.Connection, one: int = one, other: int = other) -> None:
            for old, new in ((one, -1), (other, one), (-1, other)):
                connection.execute("UPDATE ledger_entries SET seq = ? WHERE seq = ?", (new, old))

        result = verified_now(tampered(path, tmp_path / f"{number}.db", attack), heads[-1])
        assert not result.valid
        assert result.names(seq=one)
        assert result.names(seq=other)


def rehash(connection: sqlite3.Connection, run_id: str, first: int) -> None:
    """Rewrites an entry and chains all later ones anew, with the run's row: the chain alone is whole again."""
    sql = "SELECT seq, record FROM ledger_entries WHERE run_id = ? AND sequence >= ? ORDER BY sequence"
    previous = ""
    for seq, record in connection.execute(sql, (run_id, first)).fetchall():
        fields: Any = decode(record, "record")
        if previous:
            fields["prev_hash"] = previous
        else:
            fields["facts"]["verdict"] = "approved by nobody"
        changed = encode(fields, "record")
        previous = entry_hash(changed)
        columns = (changed, previous, fields["prev_hash"], seq)
        connection.execute("UPDATE ledger_entries SET record = ?, hash = ?, prev_hash = ? WHERE seq = ?", columns)
    connection.execute("UPDATE runs SET head_hash = ? WHERE run_id = ?", (previous, run_id))


def rebuild_tree(connection: sqlite3.Connection) -> bytes:
    """Computes every subtree anew from the entries; returns the root."""
    tree = CompactRange()
    records = [row[0] for row in connection.execute("SELECT record FROM ledger_entries ORDER BY seq")]
    nodes = tree.append(records)
    connection.execute("DELETE FROM merkle_nodes")
    connection.executemany("INSERT INTO merkle_nodes VALUES (?, ?, ?)", nodes)
    return tree.root()


def test_a_rehashed_suffix_is_found(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """The first rewritten entry is named, also when only its run is verified."""
    path, heads = ledger
    copy = tampered(path, tmp_path / "copy.db", lambda connection: rehash(connection, "run_07", 3))
    result = verified_now(copy, heads[-1])
    assert [fault.sequence for fault in result.runs["run_07"].faults[:4]] == [3, 4, 5, 6]
    assert result.log.faults[0].run_id == "run_07"
    assert result.log.faults[0].sequence == 3


def test_a_rehashed_suffix_with_a_rebuilt_tree_is_found(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """The entry lies between the last head that holds and the first that does not; verifying the run alone finds it too."""
    path, heads = ledger

    def attack(connection: sqlite3.Connection) -> None:
        rehash(connection, "run_07", 3)
        rebuild_tree(connection)

    result = verified_now(tampered(path, tmp_path / "copy.db", attack), heads[-1])
    assert "an entry from seq 41 to 60 was changed" in result.log.faults[-1].description
    assert "not under the newest signed head" in result.runs["run_07"].faults[-1].description


def test_a_history_signed_with_another_key_is_found(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """Rewriting everything down to the heads takes the signing key; another one is not believed."""
    path, heads = ledger

    def attack(connection: sqlite3.Connection) -> None:
        from meshflow_grpc.ledger.log_keys import LogKeys

        rehash(connection, "run_07", 3)
        root = rebuild_tree(connection)
        note = LogKeys("log.example.org/meshflow", (NEW_KEY,)).sign(ENTRIES, root)
        connection.execute("DELETE FROM checkpoints")
        connection.execute("INSERT INTO checkpoints VALUES (1, ?, ?, ?, 't')", (ENTRIES, root, note))

    result = verified_now(tampered(path, tmp_path / "copy.db", attack))
    assert "cannot be believed" in result.log.faults[0].description
    assert not result.runs["run_07"]
    assert not verified_now(tmp_path / "copy.db", heads[-1]).log


def test_an_old_head_put_back_is_found(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """Replayed as the newest, it is smaller than another; alone, it leaves entries without a head, and the kept head shows it."""
    path, heads = ledger

    def replay(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO checkpoints SELECT 99, size, root, note, time FROM checkpoints ORDER BY number LIMIT 1"
        )

    result = verified_now(tampered(path, tmp_path / "replayed.db", replay), heads[-1])
    assert "an old head was put back" in result.log.faults[0].description


def test_a_rolled_back_file_is_found_by_a_kept_head(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """A whole consistent older state passes by itself, and fails against a newer head that was kept elsewhere."""
    path, heads = ledger
    size = heads[2].size

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM ledger_entries WHERE seq > ?", (size,))
        connection.execute("DELETE FROM checkpoints WHERE size > ?", (size,))
        rebuild_tree(connection)

    copy = tampered(path, tmp_path / "copy.db", attack)
    assert verified_now(copy).log
    (fault,) = verified_now(copy, heads[-1]).log.faults
    assert "rollback" in fault.description
    assert fault.seq == size + 1


@pytest.mark.parametrize("table", ["merkle_nodes", "checkpoints"])
def test_a_changed_tree_or_head_is_found(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path, table: str) -> None:
    """One byte of a subtree's hash, or of a head's root or note."""
    path, heads = ledger
    chance = random.Random(table)
    for number in range(8):
        column = "hash" if table == "merkle_nodes" else chance.choice(["root", "note", "size"])

        def attack(connection: sqlite3.Connection, column: str = column) -> None:
            keys = "level, idx" if table == "merkle_nodes" else "number, size"
            found = connection.execute(f"SELECT {keys}, {column} FROM {table}").fetchall()
            *key, value = chance.choice(found)
            where = " AND ".join(f"{name} = ?" for name in keys.split(", "))
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (flipped(value, chance), *key))

        assert not verified_now(tampered(path, tmp_path / f"{number}.db", attack), heads[-1]).valid, column


async def test_triggers_refuse_changes_of_the_log(ledger: tuple[Path, list[Checkpoint]], tmp_path: Path) -> None:
    """Who writes to the file by accident is stopped; and a copy without tampering still opens and grows."""
    copy = tmp_path / "copy.db"
    shutil.copy(ledger[0], copy)
    connection = sqlite3.connect(copy)
    for statement in ("DELETE FROM merkle_nodes", "UPDATE checkpoints SET size = 1", "DELETE FROM checkpoints"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.close()
    storage = await SqliteStorage.open(copy)
    assert (await publisher(storage).open()).size == ENTRIES
    await storage.close()
