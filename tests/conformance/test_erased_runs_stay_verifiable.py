"""Erasure removes what people wrote and leaves a chain that verifies, on every store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.domain.errors import (
    EntryAlreadyRecordedError,
    InvalidRequestError,
    RunConflictError,
    RunNotFoundError,
)
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.ledger.erasure import new_erasure
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.drafts import ENDED, TENANT, create, finished, step, time_of, verified, whole_run

if TYPE_CHECKING:
    from pathlib import Path

    from meshflow_grpc.ports.storage import Storage

PERSON = "Erika Mustermann, born 1964-08-12"


def erasure(run_id: str, tenant_id: str = TENANT) -> EntryDraft:
    """Builds an erasure as a data protection officer asks for it."""
    return new_erasure(run_id, tenant_id, time_of(200), "p-dpo", "gdpr art. 17")


def contents(folder: Path) -> dict[str, bytes]:
    """Returns the bytes of every file of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def test_an_erased_run_verifies_and_says_by_whom(storage: Storage) -> None:
    """Payloads, salts, output and reason are gone; the chain is valid and counts them under the erasure."""
    await whole_run(storage, "run_1")
    await whole_run(storage, "run_2")

    entry = await storage.erase_payloads(erasure("run_1"))

    result = await verified(storage, "run_1")
    entries = await storage.entries(TENANT, "run_1")
    run = await storage.get_run(TENANT, "run_1")
    assert result.valid, result.faults
    assert (entry.sequence, result.head_hash) == (len(entries), entry.hash)
    assert {(each.input, each.output, each.input_salt, each.output_salt) for each in entries} == {(None,) * 4}
    assert (run.output, run.reason) == ("", None)
    assert result.payloads_erased == result.payloads_checked == 8
    assert [(e.sequence, e.time, e.principal_id, e.basis, e.payloads) for e in result.erasures] == [
        (entry.sequence, time_of(200), "p-dpo", "gdpr art. 17", 8)
    ]
    assert (await verified(storage, "run_2")).payloads_erased == 0


async def test_only_ended_runs_are_erased_and_only_once(storage: Storage) -> None:
    """A run going on, another tenant's, an unknown one and a second erasure are refused, and nothing changes."""
    await create(storage, "run_1")
    with pytest.raises(RunConflictError):
        await storage.erase_payloads(erasure("run_1"))
    await storage.append("run_1", (finished("run_1"),), ENDED)
    for refused in (erasure("run_1", "other"), erasure("run_x")):
        with pytest.raises(RunNotFoundError):
            await storage.erase_payloads(refused)
    assert (await verified(storage, "run_1")).payloads_erased == 0

    await storage.erase_payloads(erasure("run_1"))
    with pytest.raises(EntryAlreadyRecordedError):
        await storage.erase_payloads(erasure("run_1"))
    assert (await verified(storage, "run_1")).valid


async def test_an_erasure_says_who_and_why_and_holds_no_payload(storage: Storage) -> None:
    """An entry that does not is refused."""
    await whole_run(storage, "run_1")
    bad = EntryDraft("run_1", TENANT, EntryKind.ERASURE, time_of(200), facts={"basis": "x"})
    with pytest.raises(InvalidRequestError, match="actor"):
        await storage.erase_payloads(bad)
    with pytest.raises(InvalidRequestError, match="basis"):
        new_erasure("run_1", TENANT, time_of(200), "p-dpo", " ")


async def test_nothing_of_the_person_is_left_in_the_files(tmp_path: Path) -> None:
    """While the ledger is open, no file of it holds the text; other runs keep theirs."""
    storage = await open_storage(str(tmp_path / "ledger.db"))
    for run_id, text in (("run_1", PERSON), ("run_2", "somebody else")):
        await create(storage, run_id)
        for place in range(1, 40):
            draft = EntryDraft(
                run_id,
                TENANT,
                EntryKind.STEP_COMMITTED,
                time_of(place),
                "n",
                f"s{place}",
                input=text * 300,
                output=text,
            )
            await storage.append(run_id, (draft,), RunChange(output=text, reason=text))
        await storage.append(run_id, (finished(run_id),), ENDED)
    assert any(PERSON.encode() in data for data in contents(tmp_path).values())

    await storage.erase_payloads(erasure("run_1"))

    files = contents(tmp_path)
    assert [name for name, data in files.items() if b"Erika" in data] == []
    assert any(b"somebody else" in data for data in files.values())
    assert (await verified(storage, "run_1")).valid
    await storage.close()


async def test_a_missing_payload_that_no_erasure_names_is_found(tmp_path: Path) -> None:
    """Removing a payload behind the ledger's back, or putting one back after an erasure, is named."""
    path = tmp_path / "ledger.db"
    storage = await open_storage(str(path))
    await whole_run(storage, "run_1")
    await whole_run(storage, "run_2")
    with closing(sqlite3.connect(path)) as outside:
        kept = outside.execute("SELECT output, output_salt FROM ledger_entries WHERE run_id = 'run_2' AND sequence = 2")
        output, salt = kept.fetchone()
    await storage.erase_payloads(erasure("run_2"))
    await storage.close()
    with closing(sqlite3.connect(path)) as outside, outside:
        gone = "UPDATE ledger_entries SET output = NULL, output_salt = NULL WHERE run_id = 'run_1' AND sequence = 2"
        outside.execute(gone)
        back = "UPDATE ledger_entries SET output = ?, output_salt = ? WHERE run_id = 'run_2' AND sequence = 2"
        outside.execute(back, (output, salt))
    storage = await open_storage(str(path))

    missing, restored = await verified(storage, "run_1"), await verified(storage, "run_2")

    assert [(fault.sequence, fault.description[:30]) for fault in missing.faults] == [
        (2, "output: the payload is missing")
    ]
    assert [(fault.sequence, fault.description[:20]) for fault in restored.faults] == [(2, "output: an entry say")]
    await storage.close()


async def test_steps_appended_for_an_erased_run_are_refused(storage: Storage) -> None:
    """Nothing but the erasure follows the end of a run."""
    await whole_run(storage, "run_1")
    await storage.erase_payloads(erasure("run_1"))
    with pytest.raises(RunConflictError):
        await storage.append("run_1", (step("run_1", 70),))
