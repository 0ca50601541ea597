"""VerifyRun: is a run's chain intact, and are its entries the leaves of the signed log?"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from meshflow_grpc.domain.check import ChainFault, shown
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.ledger.checkpoint import CheckpointError, open_checkpoint
from meshflow_grpc.ledger.merkle import (
    InvalidProofError,
    assemble,
    inclusion_ranges,
    leaf_hash,
    nodes_of,
    verify_inclusion,
)
from meshflow_grpc.ledger.verify import ChainVerifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from meshflow_grpc.domain.check import ChainVerification, LogVerification
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.domain.stored_row import EntryRow
    from meshflow_grpc.ledger.checkpoint import Checkpoint
    from meshflow_grpc.ledger.note_key import VerifierKey
    from meshflow_grpc.ports.log import LogStore
    from meshflow_grpc.ports.observer import LedgerObserver
    from meshflow_grpc.ports.storage import RawChain, RunOwner, Storage

_MISSING_SHOWN = 10


class VerifyRunCommand:
    """Verifies a run of the caller's tenant from the rows as stored."""

    def __init__(self, storage: Storage, trusted: Sequence[VerifierKey], observer: LedgerObserver) -> None:
        self._storage = storage
        self._trusted = trusted
        self._observer = observer

    async def execute(self, principal: Principal, run_id: str) -> ChainVerification:
        """Returns every fault found; raises RunNotFoundError when nothing of the run is stored."""
        result = await verify_run(self._storage, principal.tenant_id, run_id, self._trusted)
        self._observer.verified(intact=not result.faults)
        return result


async def verify_runs(
    storage: Storage,
    runs: Sequence[RunOwner],
    trusted: Sequence[VerifierKey] | None = None,
    log: LogVerification | None = None,
) -> AsyncIterator[ChainVerification]:
    """Yields the results of ``verify_run`` for runs, in their order.

    ``log`` is what the whole log was found to be, if that was verified just now: the entries of one without faults are its leaves.
    """
    if log is None or log.faults:
        for tenant_id, run_id in runs:
            yield await verify_run(storage, tenant_id, run_id, trusted)
        return
    names = iter(runs)
    async with aclosing(storage.raw_chains(runs)) as chains:
        async for chain in chains:
            _, run_id = next(names)
            yield await _verify_chain(run_id, chain, log.size)


async def verify_run(
    storage: Storage, tenant_id: str, run_id: str, trusted: Sequence[VerifierKey] | None = None
) -> ChainVerification:
    """Verifies the chain and, with trusted keys, that its entries are under the newest head that one of them signed."""
    verifier, newest = ChainVerifier(run_id), await storage.newest_head()
    leaves = _RunLeaves(storage, newest.size if newest is not None else 0)
    async with storage.raw_chain(tenant_id, run_id) as chain:
        async for page in chain.pages:
            verifier.add(page)
            await leaves.add(page)
    result = verifier.finish(chain.run)
    if newest is None:
        return replace(result, faults=(*result.faults, *leaves.faults))
    head = _opened(newest.note, trusted, leaves) if trusted else None
    await leaves.finish(head)
    return replace(result, faults=(*result.faults, *leaves.faults), entries_in_log=leaves.under, log_size=newest.size)


async def _verify_chain(run_id: str, chain: RawChain, log_size: int) -> ChainVerification:
    verifier, under = ChainVerifier(run_id), 0
    async for page in chain.pages:
        verifier.add(page)
        under += sum(_seq(row) <= log_size for row in page)
    return replace(verifier.finish(chain.run), entries_in_log=under, log_size=log_size)


def _opened(note: str, trusted: Sequence[VerifierKey], leaves: _RunLeaves) -> Checkpoint | None:
    try:
        return open_checkpoint(note, trusted).checkpoint
    except CheckpointError as error:
        leaves.faults.append(ChainFault(0, 0, "", f"the log: its newest head cannot be believed: {error.message}"))
        return None


class _RunLeaves:
    """Compares a run's entries with the leaves of the log. ``under`` is how many of them the head of ``size`` covers."""

    def __init__(self, store: LogStore, size: int) -> None:
        self.faults: list[ChainFault] = []
        self.under = 0
        self._store = store
        self._size = size
        self._last: EntryRow | None = None
        self._published: EntryRow | None = None
        self._placeless: list[EntryRow] = []

    async def add(self, rows: Sequence[EntryRow]) -> None:
        """Compares the next entries with the stored leaves at their places; those not integrated yet have none."""
        stored = await self._store.merkle_nodes([(0, _seq(row) - 1) for row in rows])
        for row in rows:
            seq = _seq(row)
            leaf = stored.get((0, seq - 1))
            if leaf is not None and leaf != _leaf(row):
                self._fault(row, "the log: the record is not the one that was integrated here: it was changed or moved")
            if seq <= 0:
                self._placeless.append(row)
            elif seq <= self._size:
                self.under += 1
                self._published = row
            self._last = row

    async def finish(self, head: Checkpoint | None) -> None:
        """Verifies the last entry under the head, and looks for entries that are gone after it."""
        if self._published is not None and head is not None:
            await self._prove(self._published, head)
        for row in self._placeless:
            self._fault(row, "seq: no entry can have this place in the ledger")
        last = self._last
        if last is None or last.kind != EntryKind.RUN_FINISHED:
            after = max(0, _seq(last)) if last else 0
            for seq in await self._store.missing_seqs(after + 1, self._size, _MISSING_SHOWN):
                description = f"the log: seq {seq} was deleted: the log has its leaf, the ledger no entry"
                self.faults.append(ChainFault(_number(last.sequence) + 1 if last else 1, seq, "", description))

    async def _prove(self, row: EntryRow, head: Checkpoint) -> None:
        index = _seq(row) - 1
        if index >= head.size:
            return
        ranges = inclusion_ranges(index, head.size)
        wanted = nodes_of(ranges)
        stored = await self._store.merkle_nodes(wanted)
        try:
            proof = assemble(ranges, {node: stored[node] for node in wanted if node in stored})
            verify_inclusion(_leaf(row), index, head.size, proof, head.root)
        except InvalidProofError as error:
            self._fault(row, f"the log: the entry is not under the newest signed head ({error.message})")

    def _fault(self, row: EntryRow, description: str) -> None:
        self.faults.append(ChainFault(_number(row.sequence), _seq(row), shown(row.node_id), description))


def _leaf(row: EntryRow) -> bytes:
    return leaf_hash(row.record if isinstance(row.record, bytes) else b"")


def _seq(row: EntryRow) -> int:
    return _number(row.seq)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
