"""VerifyRun: is a run's chain intact, and are its entries the leaves of the signed log?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from meshflow_grpc.domain.check import ChainFault
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
    from collections.abc import Sequence

    from meshflow_grpc.domain.check import ChainVerification
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.domain.stored_row import EntryRow
    from meshflow_grpc.ledger.checkpoint import Checkpoint
    from meshflow_grpc.ledger.note_key import VerifierKey
    from meshflow_grpc.ports.log import LogStore
    from meshflow_grpc.ports.observer import LedgerObserver
    from meshflow_grpc.ports.storage import Storage

_MISSING_SHOWN = 10


class _Leaf(NamedTuple):
    seq: int
    sequence: int
    node_id: str
    kind: object
    hash: bytes


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


async def verify_run(
    storage: Storage, tenant_id: str, run_id: str, trusted: Sequence[VerifierKey] | None = None
) -> ChainVerification:
    """Verifies the chain and, with trusted keys, that its entries are under the newest head that one of them signed."""
    verifier, leaves = ChainVerifier(run_id), _RunLeaves(storage)
    newest = await storage.newest_head()
    async with storage.raw_chain(tenant_id, run_id) as chain:
        async for page in chain.pages:
            verifier.add(page)
            await leaves.add(page)
    result = verifier.finish(chain.run)
    if newest is None:
        return replace(result, faults=(*result.faults, *leaves.faults))
    head = _opened(newest.note, trusted, leaves) if trusted else None
    await leaves.finish(newest.size, head)
    return replace(
        result, faults=(*result.faults, *leaves.faults), entries_in_log=leaves.under(newest.size), log_size=newest.size
    )


def _opened(note: str, trusted: Sequence[VerifierKey], leaves: _RunLeaves) -> Checkpoint | None:
    try:
        return open_checkpoint(note, trusted).checkpoint
    except CheckpointError as error:
        leaves.faults.append(ChainFault(0, 0, "", f"the log: its newest head cannot be believed: {error.message}"))
        return None


class _RunLeaves:
    """Compares a run's entries with the leaves of the log."""

    def __init__(self, store: LogStore) -> None:
        self.faults: list[ChainFault] = []
        self._store = store
        self._leaves: list[_Leaf] = []

    async def add(self, rows: Sequence[EntryRow]) -> None:
        """Compares the next entries with the stored leaves at their places; those not integrated yet have none."""
        leaves = [_leaf(row) for row in rows]
        self._leaves += leaves
        stored = await self._store.merkle_nodes((0, leaf.seq - 1) for leaf in leaves)
        for leaf in leaves:
            if leaf.hash != stored.get((0, leaf.seq - 1), leaf.hash):
                self._fault(
                    leaf, "the log: the record is not the one that was integrated here: it was changed or moved"
                )

    async def finish(self, size: int, head: Checkpoint | None) -> None:
        """Verifies the last entry under the head, and looks for entries that are gone after it."""
        published = [leaf for leaf in self._leaves if 0 < leaf.seq <= size]
        if published and head is not None:
            await self._prove(published[-1], head)
        for leaf in [leaf for leaf in self._leaves if leaf.seq <= 0]:
            self._fault(leaf, "seq: no entry can have this place in the ledger")
        last = self._leaves[-1] if self._leaves else None
        if last is None or last.kind != EntryKind.RUN_FINISHED:
            after = max(0, last.seq) if last else 0
            for seq in await self._store.missing_seqs(after + 1, size, _MISSING_SHOWN):
                description = f"the log: seq {seq} was deleted: the log has its leaf, the ledger no entry"
                self.faults.append(ChainFault(last.sequence + 1 if last else 1, seq, "", description))

    def under(self, size: int) -> int:
        """How many entries the head of that size covers."""
        return sum(0 < leaf.seq <= size for leaf in self._leaves)

    async def _prove(self, leaf: _Leaf, head: Checkpoint) -> None:
        if leaf.seq > head.size:
            return
        ranges = inclusion_ranges(leaf.seq - 1, head.size)
        wanted = nodes_of(ranges)
        stored = await self._store.merkle_nodes(wanted)
        try:
            proof = assemble(ranges, {node: stored[node] for node in wanted if node in stored})
            verify_inclusion(leaf.hash, leaf.seq - 1, head.size, proof, head.root)
        except InvalidProofError as error:
            self._fault(leaf, f"the log: the entry is not under the newest signed head ({error.message})")

    def _fault(self, leaf: _Leaf, description: str) -> None:
        self.faults.append(ChainFault(leaf.sequence, leaf.seq, leaf.node_id, description))


def _leaf(row: EntryRow) -> _Leaf:
    record = row.record if isinstance(row.record, bytes) else b""
    seq = row.seq if isinstance(row.seq, int) else 0
    sequence = row.sequence if isinstance(row.sequence, int) else 0
    return _Leaf(seq, sequence, str(row.node_id), row.kind, leaf_hash(record))
