"""GetInclusionProof: an entry is a leaf of the signed log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import (
    EntryNotFoundError,
    FieldViolation,
    InvalidRequestError,
    LogInconsistentError,
)
from meshflow_grpc.ledger.merkle import InvalidProofError, NodeId, assemble, inclusion_ranges, nodes_of
from meshflow_grpc.ledger.proof_text import InclusionProof

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.engine.log_publisher import LogPublisher
    from meshflow_grpc.ports.log import LogStore, StoredHead

MAX_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ProvedEntry:
    """An entry's leaf and the proof that it is under a head."""

    seq: int
    leaf_hash: bytes
    head: StoredHead
    proof: InclusionProof


class GetInclusionProofCommand:
    """Proves that an entry of the caller's tenant is in the log."""

    def __init__(self, store: LogStore, publisher: LogPublisher) -> None:
        self._store = store
        self._publisher = publisher

    async def execute(self, principal: Principal, *, run_id: str, sequence: int, seq: int) -> ProvedEntry:
        """Takes run and sequence, or seq. Raises EntryNotFoundError, also for another tenant's entry; InvalidRequestError."""
        _check(run_id, sequence, seq)
        if run_id:
            seq = await self._store.seq_of(principal.tenant_id, run_id, sequence)
        elif not await self._store.has_entry(principal.tenant_id, seq):
            raise EntryNotFoundError(f"the entry with seq {seq} was not found", metadata={"seq": str(seq)})
        return await prove_entry(self._store, seq, await self._publisher.covering(seq))


async def prove_entry(store: LogStore, seq: int, head: StoredHead) -> ProvedEntry:
    """Returns the proof of an entry under a head that covers it; raises LogInconsistentError when a node is missing."""
    ranges = inclusion_ranges(seq - 1, head.size)
    leaf = NodeId(0, seq - 1)
    wanted = (leaf, *nodes_of(ranges))
    found = await store.merkle_nodes(wanted)
    stored = {node: found[node] for node in wanted if node in found}
    try:
        hashes = assemble(ranges, stored)
        return ProvedEntry(seq, stored[leaf], head, InclusionProof(seq - 1, hashes, head.note))
    except (InvalidProofError, KeyError) as error:
        raise LogInconsistentError("the log is damaged: it lacks a subtree; see `meshflow ledger verify`") from error


def _check(run_id: str, sequence: int, seq: int) -> None:
    if bool(run_id) == bool(seq):
        raise InvalidRequestError.of(FieldViolation("run_id", "give either run_id and sequence, or seq"))
    if run_id and not 1 <= sequence <= MAX_SEQ:
        raise InvalidRequestError.of(FieldViolation("sequence", "must be at least 1, the first entry of the run"))
    if seq and (sequence or not 1 <= seq <= MAX_SEQ):
        problem = "goes with run_id, not with seq" if sequence else "must be at least 1"
        raise InvalidRequestError.of(FieldViolation("sequence" if sequence else "seq", problem))
