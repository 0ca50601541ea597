"""With a payload key, what people wrote is in no file of the ledger but as ciphertext; without the key it is refused by name."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.commands.erase_run import EraseRunCommand
from meshflow_grpc.commands.verify_run import verify_run
from meshflow_grpc.domain.errors import LedgerUnavailableError, PayloadKeyUnavailableError
from meshflow_grpc.domain.run import Principal, RunRequest
from meshflow_grpc.ledger.payload_cipher import NO_KEYS, PayloadKeys
from meshflow_grpc.ports.storage import RunChange, RunQuery
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.system import SystemClock
from tests.conformance.drafts import (
    ENDED,
    STEP_USAGE,
    TENANT,
    create,
    finished,
    new_run,
    started,
    step,
    verified,
    whole_run,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshflow_grpc.storage.sealed import SealedStorage
    from tests.postgres_cluster import PostgresCluster

OLD, NEW = b"o" * 32, b"n" * 32
KEYS = PayloadKeys((OLD,))
ALICE = Principal("alice", TENANT, method="test")


@asynccontextmanager
async def opened(path: object, keys: PayloadKeys = KEYS, **options: Any) -> AsyncIterator[SealedStorage]:
    """A ledger, closed afterwards."""
    storage = await open_storage(str(path), payload_keys=keys, **options)
    try:
        yield storage
    finally:
        await storage.close()


async def spoken(url: object, keys: PayloadKeys) -> None:
    """Runs a task through the whole engine, so that task, prompt, answer and output are recorded."""
    async with opened(url, keys, pool_min=1) as storage:
        runtime = assemble(Outside(storage, MockProvider()), RuntimeOptions())
        run = await runtime.commands.run.execute(ALICE, RunRequest(task="Erika Mustermann asks"))
        assert "Mustermann" in (await storage.get_run(TENANT, run.run_id)).output
        entries = await storage.entries(TENANT, run.run_id)
        assert sum("Mustermann" in (entry.input or "") + (entry.output or "") for entry in entries) >= 2
        assert await verified(storage, run.run_id, TENANT)


def holding(folder: Path, text: bytes) -> list[str]:
    """The files that hold a text."""
    return [path.name for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


async def test_no_file_of_an_encrypted_ledger_holds_the_text(tmp_path: Path) -> None:
    """And every file is searched: without a key the text is found."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "sealed").mkdir()
    await spoken(tmp_path / "plain" / "ledger.db", NO_KEYS)
    await spoken(tmp_path / "sealed" / "ledger.db", KEYS)

    assert holding(tmp_path / "plain", b"Mustermann") == ["ledger.db"]
    assert holding(tmp_path / "sealed", b"Mustermann") == []


@pytest.mark.postgres
async def test_no_row_of_an_encrypted_database_holds_the_text(postgres: PostgresCluster) -> None:
    """In any column of any table; without a key it is found."""
    import asyncpg

    found = []
    for keys in (NO_KEYS, KEYS):
        url = postgres.new_database()
        await spoken(url, keys)
        connection = await asyncpg.connect(url)
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [str(dict(row)) for (table,) in tables for row in await connection.fetch(f"SELECT * FROM {table}")]
        found.append(any("Mustermann" in row for row in rows))
        assert len(rows) > 5
        await connection.close()
    assert found == [True, False]


async def test_salts_are_sealed_with_their_payloads(tmp_path: Path) -> None:
    """With a salt in the clear, a guess could be checked against the commitment in the record."""
    path = tmp_path / "ledger.db"
    async with opened(path) as storage:
        await whole_run(storage, "run_1")
        salts = {entry.output_salt for entry in await storage.entries(TENANT, "run_1") if entry.output_salt}
    assert len(salts) == 4
    assert not [salt for salt in salts if holding(tmp_path, salt.encode()) or holding(tmp_path, bytes.fromhex(salt))]


@pytest.mark.parametrize("keys", [NO_KEYS, PayloadKeys((NEW,))], ids=["no key", "another key"])
async def test_without_the_key_nothing_is_given_as_empty(tmp_path: Path, keys: PayloadKeys) -> None:
    """Reading, listing, verifying and writing on are refused, naming the key that is missing."""
    path = tmp_path / "ledger.db"
    async with opened(path) as storage:
        await whole_run(storage, "run_1")
        await create(storage, "run_2")
    async with opened(path, keys) as storage:
        for refused in (
            storage.get_run(TENANT, "run_1"),
            storage.entries(TENANT, "run_1"),
            storage.list_runs(RunQuery(TENANT)),
            storage.unfinished_runs(),
            storage.append("run_2", (step("run_2", 1),)),
            verified(storage, "run_1"),
        ):
            with pytest.raises(PayloadKeyUnavailableError, match=f"{KEYS.ids[0]}, and MESHFLOW_PAYLOAD_KEY"):
                await refused
    async with opened(path) as storage:
        assert (await storage.get_run(TENANT, "run_1")).output == "done"
        assert await verified(storage, "run_2")


async def test_the_first_key_is_for_new_runs_and_all_keys_read(tmp_path: Path) -> None:
    """A run keeps its key while keys are rotated; after rewrapping, the old one is needed no more."""
    path = tmp_path / "ledger.db"
    async with opened(path) as storage:
        await create(storage, "run_1")
    rotated = PayloadKeys((NEW, OLD))
    async with opened(path, rotated) as storage:
        await storage.append("run_1", (step("run_1", 1),), RunChange(usage=STEP_USAGE))
        await whole_run(storage, "run_2")
    with closing(sqlite3.connect(path)) as connection:
        named = dict(connection.execute("SELECT run_id, key_id FROM payload_keys").fetchall())
    assert named == {"run_1": KEYS.ids[0], "run_2": rotated.ids[0]}

    async with opened(path, rotated) as storage:
        assert await storage.rewrap_keys() == 1
        assert await storage.rewrap_keys() == 0
    async with opened(path, PayloadKeys((NEW,))) as storage:
        await storage.append("run_1", (finished("run_1"),), ENDED)
        assert await verified(storage, "run_1")
        assert (await storage.entries(TENANT, "run_1"))[1].output == step("run_1", 1).output


async def test_a_plain_run_is_encrypted_from_when_there_is_a_key(tmp_path: Path) -> None:
    """What was written before stays readable; the chain verifies with the key alone."""
    path = tmp_path / "ledger.db"
    async with opened(path, NO_KEYS) as storage:
        await create(storage, "run_1")
        await storage.append("run_1", (step("run_1", 1),), RunChange(output="partial"))
    async with opened(path) as storage:
        await storage.append("run_1", (step("run_1", 2),))
        await storage.append("run_1", (finished("run_1"),), ENDED)
        assert await verified(storage, "run_1")
        outputs = [entry.output for entry in await storage.entries(TENANT, "run_1")]
    assert outputs == [None, step("run_1", 1).output, step("run_1", 2).output, '"done"']
    with closing(sqlite3.connect(path)) as connection:
        stored = [row[0] for row in connection.execute("SELECT output FROM ledger_entries ORDER BY seq")]
    assert [text is not None and text.startswith("mfenc1.") for text in stored] == [False, False, True, True]


async def test_a_text_that_looks_sealed_is_kept_as_it_is(tmp_path: Path) -> None:
    """Whoever chooses a text cannot make the ledger take it for a ciphertext."""
    for number, text in enumerate(("mfenc1.AAAA", "mfenc0.mfenc1.AAAA", "mfenc")):
        for keys in (NO_KEYS, KEYS):
            async with opened(tmp_path / f"{number}{bool(keys)}.db", keys) as storage:
                draft = started("run_1")
                await storage.create_run(new_run("run_1", output=text, reason=text), draft, "f")
                run = await storage.get_run(TENANT, "run_1")
                assert (run.output, run.reason) == (text, text)
                assert await verified(storage, "run_1")


async def test_an_erasure_destroys_the_key(tmp_path: Path) -> None:
    """A copy made earlier without the keys' table cannot be read; with it, neither, once the operator's old key is gone."""
    path, backup = tmp_path / "ledger.db", tmp_path / "backup.db"
    async with opened(path) as storage:
        await whole_run(storage, "run_1")
        await whole_run(storage, "run_2")
    shutil.copy(path, backup)
    async with opened(path, PayloadKeys((NEW, OLD))) as storage:
        erased = await EraseRunCommand(storage, SystemClock()).execute(ALICE, "run_1", basis="gdpr art. 17")
        assert await storage.rewrap_keys() == 1
        assert await verified(storage, "run_1")
    assert erased.payloads == 8
    with closing(sqlite3.connect(path)) as connection:
        living = connection.execute("SELECT * FROM payload_keys").fetchall()
    assert [key[0] for key in living] == ["run_2"]

    async with opened(backup, PayloadKeys((NEW,))) as storage:
        with pytest.raises(PayloadKeyUnavailableError, match="run_1"):
            await storage.entries(TENANT, "run_1")
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("DELETE FROM payload_keys")
        connection.executemany("INSERT INTO payload_keys VALUES (?, ?, ?)", living)
    async with opened(backup, PayloadKeys((NEW, OLD))) as storage:
        with pytest.raises(PayloadKeyUnavailableError, match="no longer has their key"):
            await storage.entries(TENANT, "run_1")
        listed = {run.run_id: run for run in (await storage.list_runs(RunQuery(TENANT))).runs}
        assert "no longer has their key" in str(listed["run_1"].reason)
        assert (listed["run_1"].output, listed["run_2"].output) == ("", "done")
        assert not await verified(storage, "run_1")
        again = await EraseRunCommand(storage, SystemClock()).execute(ALICE, "run_1", basis="gdpr art. 17, again")
        assert again.payloads == 0
        assert await verified(storage, "run_1")
        assert await verified(storage, "run_2")


async def damaged_ledger(path: Path, statement: str) -> None:
    """An encrypted ledger of one run in which something was changed."""
    async with opened(path) as storage:
        await whole_run(storage, "run_1")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET output = (SELECT output FROM ledger_entries WHERE sequence = 2) WHERE sequence = 3",
        "UPDATE ledger_entries SET output = substr(output, 1, 40) || '!' || substr(output, 42) WHERE sequence = 3",
        "UPDATE ledger_entries SET output = '{\"out\":3}', output_salt = NULL WHERE sequence = 3",
        "UPDATE ledger_entries SET output_salt = 'x' WHERE sequence = 3",
    ],
    ids=["moved", "changed", "replaced", "salted"],
)
async def test_a_changed_ciphertext_is_found_and_named(tmp_path: Path, statement: str) -> None:
    """Also one that was sealed with the right key, for another place."""
    await damaged_ledger(tmp_path / "ledger.db", statement)
    async with opened(tmp_path / "ledger.db") as storage:
        faults = (await verify_run(storage, TENANT, "run_1")).faults
    assert [(fault.sequence, fault.description.partition(":")[0]) for fault in faults] == [(3, "output")]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE payload_keys SET wrapped = lower(wrapped)", "UPDATE payload_keys SET wrapped = 'x'"],
    ids=["changed", "no base64"],
)
async def test_a_changed_key_is_an_error_and_a_fault(tmp_path: Path, statement: str) -> None:
    """Reading says what is damaged; verification names every payload that cannot be opened."""
    await damaged_ledger(tmp_path / "ledger.db", statement)
    async with opened(tmp_path / "ledger.db") as storage:
        with pytest.raises(LedgerUnavailableError, match="damaged"):
            await storage.entries(TENANT, "run_1")
        with pytest.raises(LedgerUnavailableError, match="damaged"):
            await storage.get_run(TENANT, "run_1")
        assert len((await verified(storage, "run_1")).faults) >= 8


async def test_a_lost_key_stops_a_run_that_goes_on(tmp_path: Path) -> None:
    """It is not continued in the clear."""
    path = tmp_path / "ledger.db"
    async with opened(path) as storage:
        await create(storage, "run_1")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM payload_keys")
    async with opened(path) as storage:
        with pytest.raises(LedgerUnavailableError, match="damaged"):
            await storage.append("run_1", (step("run_1", 1),))


async def test_the_key_of_an_immutable_run_goes_with_an_erasure_only(tmp_path: Path) -> None:
    """The database itself refuses to delete it before."""
    path = tmp_path / "ledger.db"
    async with opened(path) as storage:
        await create(storage, "run_1", policy={"immutable_audit": True})
        await storage.append("run_1", (finished("run_1"),), ENDED)
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="its key"):
        connection.execute("DELETE FROM payload_keys")
    async with opened(path) as storage:
        await EraseRunCommand(storage, SystemClock()).execute(ALICE, "run_1", basis="gdpr art. 17")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM payload_keys").fetchone() == (0,)
