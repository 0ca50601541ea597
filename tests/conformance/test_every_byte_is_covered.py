"""One byte of any column of any entry, tombstones included: the entry is named. What was done by the book raises no alarm."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.app import Outside, Runtime, RuntimeOptions, assemble
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import RunRequest, RunStatus
from meshflow_grpc.domain.stored_row import EntryRow, LogRow, RunRow
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.ledger.canonical import decode, encode
from meshflow_grpc.ledger.chain import entry_hash
from meshflow_grpc.ledger.deletion import new_deletion
from meshflow_grpc.ledger.log_verify import HeadClaim, LogVerifier
from meshflow_grpc.ledger.verify import verify_chain
from meshflow_grpc.storage.sqlite.storage import SqliteStorage
from tests.conformance.drafts import TENANT, time_of
from tests.conformance.finished_ledger import build, tampered, verified, verified_now
from tests.fakes.log_keys import publisher
from tests.fakes.providers import FakeProvider
from tests.unit.engine.gated import ALICE, BOB, POLICY, PUBLISH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DELETED = "run_07"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty finished runs, one of them deleted."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"

    async def made() -> None:
        await build(path)
        storage = await SqliteStorage.open(path)
        await storage.delete_run(new_deletion(DELETED, TENANT, time_of(300), "p-dpo", "gdpr art. 17"))
        await publisher(storage).publish()
        await storage.close()

    asyncio.run(made())
    return path


class Rows:
    """The ledger's rows in memory, verified as the store would have them read."""

    def __init__(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            columns = ", ".join(EntryRow._fields)
            self.entries = [
                EntryRow(*row) for row in connection.execute(f"SELECT {columns} FROM ledger_entries ORDER BY seq")
            ]
            columns = ", ".join(RunRow._fields)
            self.runs = {row[0]: RunRow(*row) for row in connection.execute(f"SELECT {columns} FROM runs")}
            nodes = connection.execute("SELECT level, idx, hash FROM merkle_nodes").fetchall()
            self.nodes = {(level, idx): value for level, idx, value in nodes}
            (size, root) = connection.execute(
                "SELECT size, root FROM checkpoints ORDER BY number DESC LIMIT 1"
            ).fetchone()
        self.head = HeadClaim(size, root, "the head")

    def named(self, place: int, changed: EntryRow) -> bool:
        """Whether verification names the entry at a place when it is changed; False when it finds nothing."""
        before = self.entries[place]
        run = [changed if row is before else row for row in self.entries if row.run_id == before.run_id]
        chain = verify_chain(str(before.run_id), run, self.runs.get(str(before.run_id)))
        if any(fault.sequence == before.sequence or fault.seq == before.seq for fault in chain.faults):
            return True
        rows = sorted(
            [changed if row is before else row for row in self.entries],
            key=lambda row: row.seq if isinstance(row.seq, int) else -1,
        )
        log = LogVerifier(self.head.size, [self.head])
        log.add([LogRow.of(row) for row in rows], self.nodes)
        log.finish_entries(self.nodes)
        return any(
            fault.seq == before.seq or fault.sequence == before.sequence
            for fault in log.finish(self.head, 1, signed=True).faults
        )


def flips(value: object, chance: random.Random | None = None) -> Iterator[object]:
    """The value with one bit of each of its bytes changed, or of one by chance."""
    if isinstance(value, int):
        yield value ^ 1
        return
    raw = value if isinstance(value, bytes) else str("x" if value is None else value).encode()
    for place in [chance.randrange(len(raw))] if chance else range(len(raw)) if raw else []:
        changed = bytearray(raw)
        changed[place] ^= 1 << (place % 7)
        yield bytes(changed) if isinstance(value, bytes) else changed.decode("utf-8", "surrogateescape")


def test_one_byte_of_any_column_of_any_entry_names_it(ledger: Path) -> None:
    """All entries of all runs, the tombstone too."""
    rows, chance, tried = Rows(ledger), random.Random(7), 0
    assert rows.entries[-1].kind == EntryKind.RUN_DELETED
    for place, row in enumerate(rows.entries):
        for column in EntryRow._fields:
            value = getattr(row, column)
            for changed in flips(value, chance if value not in ("", None) else None) if value != "" else ["x"]:
                assert rows.named(place, row._replace(**{column: changed})), (row.seq, column, changed)
                tried += 1
    assert tried == len(rows.entries) * len(EntryRow._fields)


def test_every_byte_of_an_entry_is_covered(ledger: Path) -> None:
    """Of a step with two payloads, and of a tombstone."""
    rows, tried = Rows(ledger), 0
    for place in (40, len(rows.entries) - 1):
        for column in EntryRow._fields:
            for changed in flips(getattr(rows.entries[place], column)):
                assert rows.named(place, rows.entries[place]._replace(**{column: changed})), (place, column, changed)
                tried += 1
    assert tried > 1500


def test_deletions_past_the_store_are_found_beside_recorded_ones(ledger: Path, tmp_path: Path) -> None:
    """An entry removed with SQL, the tombstone itself removed, and one that claims more than is gone."""
    assert verified_now(ledger).valid
    attacks = {
        "DELETE FROM ledger_entries WHERE seq = 29": 29,
        "DELETE FROM ledger_entries WHERE run_id = 'run_08'": 9,
        f"DELETE FROM ledger_entries WHERE run_id = '{DELETED}'": 8,
    }
    for number, (sql, seq) in enumerate(attacks.items()):

        def attack(connection: sqlite3.Connection, sql: str = sql) -> None:
            connection.execute(sql)
            connection.execute("DELETE FROM runs WHERE run_id NOT IN (SELECT run_id FROM ledger_entries)")

        result = verified_now(tampered(ledger, tmp_path / f"{number}.db", attack))
        assert not result.valid, sql
        assert result.names(seq=seq), result.log.faults


def test_a_forged_tombstone_is_on_record_and_never_hides_what_is_there(ledger: Path, tmp_path: Path) -> None:
    """Who rewrites the tombstone to cover another deletion is found by its leaf; one appended by the book's form is told by name."""

    def rewrite(connection: sqlite3.Connection) -> None:
        (record,) = connection.execute("SELECT record FROM ledger_entries WHERE kind = 'run_deleted'").fetchone()
        forged: Any = decode(record)
        forged["facts"]["deleted"]["seqs"] = [[seq, seq] for seq in (8, 28, 29, 48, 68, 88, 108)]
        data = encode(forged)
        connection.execute("DELETE FROM ledger_entries WHERE seq = 29")
        sql = "UPDATE ledger_entries SET record = ?, hash = ? WHERE kind = 'run_deleted'"
        connection.execute(sql, (data, entry_hash(data)))

    result = verified_now(tampered(ledger, tmp_path / "rewritten.db", rewrite))
    assert not result.valid
    assert any("seq 28 to 29 was deleted" in fault.description for fault in result.log.faults)
    assert result.names(run_id=DELETED, sequence=7)

    def append(connection: sqlite3.Connection) -> None:
        columns = "run_id, tenant_id, sequence, kind, node_id, step_id, attempt, time, prev_hash, hash, record"
        rows = connection.execute(
            "SELECT record, hash FROM ledger_entries WHERE run_id = 'run_08' ORDER BY sequence"
        ).fetchall()
        forged: Any = decode(rows[-1][0])
        spans = [[9 + 20 * turn] * 2 for turn in range(6)]
        facts = {"actor": {"principal": "mallory"}, "basis": "none", "deleted": {"last": 6, "seqs": spans}}
        forged |= {"sequence": 7, "kind": "run_deleted", "step_id": "deletion", "prev_hash": rows[-1][1]}
        forged |= {"facts": facts, "change": None, "input": None, "output": None}
        data = encode(forged)
        values = [forged[name] for name in columns.split(", ")[:9]]
        connection.execute(
            f"INSERT INTO ledger_entries ({columns}) VALUES ({', '.join('?' * 11)})", (*values, entry_hash(data), data)
        )

    copy = tampered(ledger, tmp_path / "appended.db", append)
    still_there = verified_now(copy)
    assert not still_there.valid
    assert any("not gone" in fault.description for fault in still_there.log.faults)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("DELETE FROM ledger_entries WHERE run_id = 'run_08' AND kind <> 'run_deleted'")
        connection.execute("DELETE FROM runs WHERE run_id = 'run_08'")
    told = verified_now(copy)
    assert [(each.run_id, each.principal_id) for each in told.log.deletions] == [
        (DELETED, "p-dpo"),
        ("run_08", "mallory"),
    ]
    assert told.log.pending == 1


async def by_the_book(runtime: Runtime) -> None:
    """Two hundred runs at once, then a fork, an approval, an erasure and a deletion."""
    commands = runtime.commands
    runs = await asyncio.gather(*(commands.run.execute(ALICE, RunRequest(task=f"task {n}")) for n in range(200)))
    assert {run.status for run in runs} == {RunStatus.COMPLETED}
    fork = await commands.fork_run.execute(ALICE, runs[0].run_id, ForkPoint(before_node="writer"))
    await commands.wait_run.execute(ALICE, fork.run_id, timeout_s=10)
    paused = await commands.run.execute(ALICE, RunRequest(task="t", workflow_yaml=PUBLISH, policy=POLICY))
    assert paused.pending_approval is not None
    await commands.decide_approval.execute(BOB, paused.pending_approval.approval_id, decision="approve")
    assert (await commands.wait_run.execute(ALICE, paused.run_id, timeout_s=10)).status is RunStatus.COMPLETED
    for run in runs[:5]:
        await commands.erase_run.execute(ALICE, run.run_id, basis="gdpr art. 17")
    for run in runs[3:8]:
        await commands.erase_run.execute(ALICE, run.run_id, basis="gdpr art. 17", mode="delete")
    waiting = await commands.run.execute(ALICE, RunRequest(task="t", workflow_yaml=PUBLISH, policy=POLICY))
    assert waiting.status is RunStatus.PAUSED


async def test_what_is_done_by_the_book_raises_no_alarm(tmp_path: Path) -> None:
    """Before and after a restart; every run and the whole log, also with tombstones not yet under a head."""
    path = tmp_path / "ledger.db"
    for _ in range(2):
        storage = await SqliteStorage.open(path)
        runtime = assemble(Outside(storage, FakeProvider()), RuntimeOptions())
        await runtime.engine.recover()
        await by_the_book(runtime)
        await runtime.engine.drain(5)
        await publisher(storage).publish()
        last = (await runtime.commands.run.execute(ALICE, RunRequest(task="last"))).run_id
        await storage.delete_run(new_deletion(last, "acme", time_of(300), "p", "b"))
        await storage.close()
        result = await verified(path)
        assert result.log, result.log.faults
        wrong = {run_id: each.faults for run_id, each in result.runs.items() if not each}
        assert wrong == {}
    assert len(result.log.deletions) == 12
    assert len(result.runs) == 2 * 204
