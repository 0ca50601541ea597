"""A deleted run leaves a tombstone that accounts for what is gone, on every store; the log stays whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.commands.verify_log import verify_log
from meshflow_grpc.commands.verify_run import verify_run
from meshflow_grpc.domain.errors import RunConflictError, RunImmutableError, RunNotFoundError
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.ledger.deletion import new_deletion
from meshflow_grpc.ledger.erasure import new_erasure
from meshflow_grpc.ports.storage import RunQuery
from meshflow_grpc.storage.factory import open_storage
from tests.conformance.drafts import ENDED, TENANT, create, finished, step, time_of, verified, whole_run
from tests.fakes.log_keys import KEYS, publisher

if TYPE_CHECKING:
    from pathlib import Path

    from meshflow_grpc.ports.storage import Storage

PERSON = "Erika Mustermann"


def deletion(run_id: str, tenant_id: str = TENANT) -> EntryDraft:
    """Builds a tombstone as a data protection officer asks for it."""
    return new_deletion(run_id, tenant_id, time_of(300), "p-dpo", "gdpr art. 17")


def contents(folder: Path) -> dict[str, bytes]:
    """Returns the bytes of every file of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def interleaved(storage: Storage) -> None:
    """run_1 and run_2 take turns, run_3 goes on."""
    for run_id in ("run_1", "run_2", "run_3"):
        await create(storage, run_id)
    for place in (1, 2):
        for run_id in ("run_1", "run_2", "run_3"):
            await storage.append(run_id, (step(run_id, place),))
    for run_id in ("run_1", "run_2"):
        await storage.append(run_id, (finished(run_id),), ENDED)


async def test_a_deleted_run_is_gone_and_the_log_is_whole(storage: Storage) -> None:
    """Row and entries are gone, the tombstone says who, when, why and how much; nothing raises an alarm, before and after a head."""
    await interleaved(storage)
    log = publisher(storage)
    await log.publish()
    tombstone = await storage.delete_run(deletion("run_1"))

    assert (tombstone.kind, tombstone.sequence) == (EntryKind.RUN_DELETED, 5)
    assert tombstone.facts["deleted"] == {"last": 4, "seqs": [[1, 1], [4, 4], [7, 7], [10, 10]]}
    with pytest.raises(RunNotFoundError):
        await storage.get_run(TENANT, "run_1")
    page = await storage.list_runs(RunQuery(TENANT))
    assert [run.run_id for run in page.runs] == ["run_3", "run_2"]
    assert [entry.hash for entry in await storage.entries(TENANT, "run_1")] == [tombstone.hash]
    for _ in range(2):
        result, runs = await verify_log(storage, KEYS.verifiers)
        assert result, result.faults
        assert [(d.run_id, d.entries, d.principal_id, d.basis, d.time) for d in result.deletions] == [
            ("run_1", 4, "p-dpo", "gdpr art. 17", time_of(300))
        ]
        assert sorted(runs) == [(TENANT, "run_1"), (TENANT, "run_2"), (TENANT, "run_3")]
        for _, run_id in runs:
            verification = await verify_run(storage, TENANT, run_id, KEYS.verifiers)
            assert verification, (run_id, verification.faults)
            assert (verification.deletion is not None) == (run_id == "run_1")
        await log.publish()


async def test_the_log_grows_after_a_deletion(storage: Storage) -> None:
    """Entries not yet in the tree are integrated before they go; heads from before are still prefixes of those after."""
    log = publisher(storage)
    await interleaved(storage)
    await storage.delete_run(deletion("run_2"))
    await log.publish()
    await storage.append("run_3", (finished("run_3"),), ENDED)
    await storage.delete_run(deletion("run_3"))
    await log.publish()
    result, _ = await verify_log(storage, KEYS.verifiers)
    assert result, result.faults
    assert result.size == 14
    assert await verified(storage, "run_1")


async def test_only_ended_mutable_runs_of_the_tenant_are_deleted(storage: Storage) -> None:
    """Others are refused by name, and nothing changes; an id is never used again."""
    await create(storage, "run_1")
    with pytest.raises(RunConflictError):
        await storage.delete_run(deletion("run_1"))
    await create(storage, "run_2", policy={"immutable_audit": True})
    await storage.append("run_2", (finished("run_2"),), ENDED)
    with pytest.raises(RunImmutableError, match="immutable_audit"):
        await storage.delete_run(deletion("run_2"))
    await storage.append("run_1", (finished("run_1"),), ENDED)
    for refused in (deletion("run_1", "other"), deletion("run_x")):
        with pytest.raises(RunNotFoundError):
            await storage.delete_run(refused)
    assert await verified(storage, "run_1")
    assert await verified(storage, "run_2")

    await storage.delete_run(deletion("run_1"))
    with pytest.raises(RunNotFoundError):
        await storage.delete_run(deletion("run_1"))
    with pytest.raises(RunConflictError, match="exists"):
        await create(storage, "run_1")
    assert (await verified(storage, "run_1")).deletion is not None


async def test_an_anonymized_run_may_be_deleted_and_its_request_id_used_again(storage: Storage) -> None:
    """The erasure goes with it."""
    await create(storage, "run_1", request_id="r-1")
    await storage.append("run_1", (finished("run_1"),), ENDED)
    await storage.erase_payloads(new_erasure("run_1", TENANT, time_of(200), "p-dpo", "gdpr art. 17"))
    tombstone = await storage.delete_run(deletion("run_1"))
    assert tombstone.sequence == 4
    assert (await create(storage, "run_2", request_id="r-1")).created
    assert await verified(storage, "run_1")


async def test_nothing_of_a_deleted_run_is_left_in_the_files(tmp_path: Path) -> None:
    """While the ledger is open, no file of it holds the text, its labels or its ids."""
    storage = await open_storage(str(tmp_path / "ledger.db"))
    await whole_run(storage, "run_2")
    await create(storage, "run_1", labels={"name": PERSON}, session_id=PERSON)
    for place in range(1, 30):
        draft = EntryDraft(
            "run_1", TENANT, EntryKind.STEP_COMMITTED, time_of(place), "n", f"s{place}", input=PERSON * 300
        )
        await storage.append("run_1", (draft,))
    await storage.append("run_1", (finished("run_1"),), ENDED)
    await storage.delete_run(deletion("run_1"))
    assert [name for name, data in contents(tmp_path).items() if b"Erika" in data] == []
    assert await verified(storage, "run_2")
    await storage.close()
