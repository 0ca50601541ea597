"""Each store integrates its entries into one log in the order of seq, proves them, and resumes where it stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from meshflow_grpc.commands.get_consistency_proof import prove_growth
from meshflow_grpc.commands.get_inclusion_proof import prove_entry
from meshflow_grpc.commands.verify_log import verify_log
from meshflow_grpc.commands.verify_run import verify_run
from meshflow_grpc.domain.errors import EntryNotFoundError
from meshflow_grpc.ledger.checkpoint import open_checkpoint
from meshflow_grpc.ledger.merkle import EMPTY_ROOT, leaf_hash, verify_consistency, verify_inclusion
from meshflow_grpc.ledger.merkle_nodes import CompactRange
from tests.conformance.drafts import TENANT, create, step, whole_run
from tests.fakes.log_keys import KEYS, publisher

if TYPE_CHECKING:
    from meshflow_grpc.ports.storage import Storage


async def records(storage: Storage) -> list[bytes]:
    """Returns the record of every entry, in the order of seq."""
    found: list[bytes] = []
    async with storage.raw_log() as log:
        async for page in log.pages:
            assert all(isinstance(row.record, bytes) for row in page)
            found += [bytes(row.record) for row in page]  # type: ignore[arg-type]
    return found


async def test_an_empty_ledger_has_the_empty_root(storage: Storage) -> None:
    """A head of no entries can be signed and verified."""
    head = await publisher(storage).open()
    assert (head.size, head.root) == (0, EMPTY_ROOT)
    result, runs = await verify_log(storage, KEYS.verifiers)
    assert result, result.faults
    assert runs == ()


async def test_every_entry_is_a_leaf_in_the_order_of_seq(storage: Storage) -> None:
    """The root is that of all records, whatever the batches were, and integrating again changes nothing."""
    for number in range(5):
        await whole_run(storage, f"run_{number}", steps=4)
    assert storage.pending_entries() == 30
    state = await storage.integrate(7)
    assert (state.size, state.newest_seq, state.pending) == (7, 30, 23)
    while state.pending:
        state = await storage.integrate(7)
    tree = CompactRange()
    tree.append(await records(storage))
    assert (state.size, state.root) == (30, tree.root())
    assert await storage.integrate(7) == state == await storage.log_state()
    assert storage.pending_entries() == 0


async def test_every_entry_is_proved_under_the_head_and_every_head_under_the_newest(storage: Storage) -> None:
    """Inclusion of each entry and consistency between all sizes verify against the signed roots."""
    log, heads = publisher(storage), []
    for number in range(4):
        await whole_run(storage, f"run_{number}", steps=number)
        heads.append(await log.publish())
    newest, stored = heads[-1], await records(storage)
    assert open_checkpoint(newest.note, KEYS.verifiers).checkpoint.root == newest.root
    for seq, record in enumerate(stored, 1):
        proved = await prove_entry(storage, seq, newest)
        assert proved.leaf_hash == leaf_hash(record)
        verify_inclusion(leaf_hash(record), seq - 1, newest.size, proved.proof.hashes, newest.root)
    for old in heads:
        grown = await prove_growth(storage, old.size, newest.size, newest.size)
        assert grown.checkpoint == newest.note
        verify_consistency(old.size, newest.size, grown.hashes, old.root, newest.root)


async def test_only_the_tenants_own_entries_are_found(storage: Storage) -> None:
    """Another tenant's entry does not exist, by run or by seq."""
    await whole_run(storage, "run_1")
    assert await storage.seq_of(TENANT, "run_1", 2) == 2
    assert await storage.has_entry(TENANT, 2)
    assert not await storage.has_entry("other", 2)
    assert not await storage.has_entry(TENANT, 99)
    for tenant, sequence in (("other", 2), (TENANT, 99)):
        with pytest.raises(EntryNotFoundError):
            await storage.seq_of(tenant, "run_1", sequence)


async def test_two_hundred_runs_at_once_raise_no_alarm(storage: Storage) -> None:
    """While 200 runs append and heads are published, the log and every run verify at any moment."""
    log = publisher(storage)
    await log.open()
    log.start()

    async def drive(number: int) -> None:
        run_id = f"run_{number:03}"
        await create(storage, run_id)
        for place in range(1, 6):
            await storage.append(run_id, (step(run_id, place),))
            await asyncio.sleep(0)

    async def watch(driving: asyncio.Task[object]) -> int:
        looks = 0
        while not driving.done():
            head = await log.publish()
            assert head.note
            result, runs = await verify_log(storage, KEYS.verifiers)
            assert result, result.faults
            for tenant, run_id in runs[:3]:
                verified = await verify_run(storage, tenant, run_id, KEYS.verifiers)
                assert verified, verified.faults
            looks += 1
            await asyncio.sleep(0)
        return looks

    driving: asyncio.Task[object] = asyncio.ensure_future(asyncio.gather(*map(drive, range(200))))
    assert await watch(driving) >= 1
    await driving
    await log.stop()
    result, runs = await verify_log(storage, KEYS.verifiers)
    assert result, result.faults
    assert (result.size, result.pending, len(runs)) == (1200, 0, 200)
    for tenant, run_id in runs:
        verified = await verify_run(storage, tenant, run_id, KEYS.verifiers)
        assert verified, verified.faults
        assert verified.entries_in_log == 6
