"""The keys and the name of a log: who signs its heads, and whose signatures on stored heads are believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LogInconsistentError
from meshflow_grpc.ledger.checkpoint import Checkpoint, CheckpointError, open_checkpoint, sign_checkpoint
from meshflow_grpc.ledger.merkle import (
    InvalidProofError,
    assemble,
    consistency_ranges,
    fold,
    nodes_of,
    verify_consistency,
)
from meshflow_grpc.ledger.merkle_nodes import frontier_nodes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.ledger.checkpoint import SignedCheckpoint
    from meshflow_grpc.ledger.merkle import NodeId
    from meshflow_grpc.ledger.note_key import SigningKey, VerifierKey


@dataclass(frozen=True, slots=True)
class LogKeys:
    """``signing`` sign every head, in order, the current one first; ``trusted`` are believed on heads signed before."""

    origin: str
    signing: tuple[SigningKey, ...]
    trusted: tuple[VerifierKey, ...] = ()

    @property
    def verifiers(self) -> tuple[VerifierKey, ...]:
        """Every key whose signature is believed."""
        return tuple(dict.fromkeys((*(key.verifier for key in self.signing), *self.trusted)))

    def sign(self, size: int, root: bytes) -> str:
        """Returns the signed note of a head."""
        return sign_checkpoint(Checkpoint(self.origin, size, root), self.signing)

    def open(self, note: str, what: str) -> SignedCheckpoint:
        """Verifies the note of a head signed earlier; raises LogInconsistentError saying what to do."""
        try:
            return open_checkpoint(note, self.verifiers, self.origin)
        except CheckpointError as error:
            raise LogInconsistentError(
                f"{what} cannot be believed ({error.message}); after a change of keys set "
                "MESHFLOW_PREVIOUS_SIGNING_KEY to the old key, and keep MESHFLOW_LOG_ORIGIN as it was",
            ) from error

    def signed_by_current(self, head: SignedCheckpoint) -> bool:
        """Whether every current key signed a head."""
        return {key.verifier for key in self.signing} <= set(head.signers)


def rolled_back(head: Checkpoint, what: str, size: int) -> LogInconsistentError:
    """Builds the error for a log smaller than a head signed earlier."""
    return LogInconsistentError(
        f"rollback detected: {what} covers {head.size} entries, the ledger holds {size}; "
        "restore the newest copy of the ledger, and see `meshflow ledger verify`",
        metadata={"head_size": str(head.size), "ledger_size": str(size)},
    )


def check_grew_from(
    head: Checkpoint, size: int, root: bytes, nodes: Mapping[tuple[int, int], bytes], what: str
) -> None:
    """Checks, by a consistency proof from stored nodes, that a tree contains an earlier head; raises LogInconsistentError."""
    if size < head.size:
        raise rolled_back(head, what, size)
    ranges = consistency_ranges(head.size, size)
    try:
        proof = assemble(ranges, {node: nodes[node] for node in nodes_of(ranges) if node in nodes})
        verify_consistency(head.size, size, proof, head.root, root)
    except InvalidProofError as error:
        raise LogInconsistentError(
            f"tampering detected: the ledger's first {head.size} entries are not those of {what}; "
            "see `meshflow ledger verify`",
            metadata={"head_size": str(head.size), "ledger_size": str(size)},
        ) from error


def nodes_to_check(old_size: int, size: int) -> tuple[NodeId, ...]:
    """Returns the stored nodes that ``check_grew_from`` needs."""
    return nodes_of(consistency_ranges(old_size, size)) if old_size <= size else ()


def stored_root(size: int, nodes: Mapping[NodeId, bytes]) -> bytes:
    """Returns the root of a stored tree at a size from its frontier; raises LogInconsistentError when a node is missing."""
    try:
        return fold([nodes[node] for node in frontier_nodes(size)])
    except KeyError as error:
        raise LogInconsistentError(f"the log is damaged: it has no subtree {error.args[0]}") from error
