"""Integration of entries into the Merkle tree: the part that all stores share."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from meshflow_grpc.domain.errors import LogInconsistentError
from meshflow_grpc.ledger.deletion import deleted_spans, without
from meshflow_grpc.ledger.merkle import InvalidProofError
from meshflow_grpc.ledger.merkle_nodes import CompactRange, frontier_nodes
from meshflow_grpc.ports.log import LogState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.ledger.deletion import Span
    from meshflow_grpc.ports.log import NodeKey

MAX_BACKLOG: Final = 16_384


class Backlog:
    """Records of durable entries that are not in the tree yet, so that integrating them reads nothing back. Bounded.

    What does not fit, or was written before the process started, is read from the store.
    """

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self._first = 0

    def add(self, entries: Sequence[LedgerEntry]) -> None:
        """Remembers entries that became durable, in the order of seq."""
        if not entries:
            return
        if len(self._records) + len(entries) > MAX_BACKLOG or entries[0].seq - 1 != self._first + len(self._records):
            self._records = []
        if not self._records:
            self._first = entries[0].seq - 1
        self._records.extend([entry.record for entry in entries])

    def from_leaf(self, index: int, limit: int) -> list[bytes]:
        """Returns records from a leaf on; nothing when they are not remembered."""
        start = index - self._first
        return self._records[start : start + limit] if start >= 0 else []

    def forget_before(self, index: int) -> None:
        """Forgets records that are in the tree."""
        gone = index - self._first
        if gone > 0:
            self._records = self._records[gone:]
            self._first = index


def resumed(size: int, hashes: Mapping[NodeKey, bytes]) -> CompactRange:
    """Returns the right edge of a stored tree from its frontier; raises LogInconsistentError when a subtree is missing."""
    try:
        return CompactRange.resume(size, {node: hashes[node] for node in frontier_nodes(size) if node in hashes})
    except InvalidProofError as error:
        raise LogInconsistentError(f"the log is damaged: {error.message}") from error


def checked_records(rows: Iterable[tuple[Any, Any]], size: int, newest_seq: int, limit: int) -> list[bytes]:
    """Returns the records of stored rows ``(seq, record)`` that follow a tree's end.

    Raises LogInconsistentError when one is missing or is no record.
    """
    records = []
    for expected, (seq, record) in enumerate(rows, size + 1):
        if seq != expected or not isinstance(record, bytes):
            raise missing_entry(expected)
        records.append(record)
    if len(records) < min(limit, newest_seq - size):
        raise missing_entry(size + len(records) + 1)
    return records


def missing_entry(seq: int) -> LogInconsistentError:
    """Builds the error for an entry that the log needs and that is not in the store."""
    return LogInconsistentError(
        f"the entry with seq {seq} was recorded and is gone or damaged: the ledger was tampered with; "
        "see `meshflow ledger verify`",
        metadata={"seq": str(seq)},
    )


def missing_of(
    first: int, last: int, found: Iterable[int], tombstones: Iterable[object], limit: int
) -> tuple[int, ...]:
    """Returns the first ``limit`` seqs from first to last that are not found and that no tombstone's record accounts for.

    Costs what was found, however far away ``last`` is: a forged head may claim any size.
    """
    missing: list[Span] = []
    expected = first
    for seq in sorted(found):
        if seq > expected:
            missing.append((expected, seq - 1))
        expected = seq + 1
    if expected <= last:
        missing.append((expected, last))
    deleted = deleted_spans(tombstones) if missing else ()
    left = (span for each in missing for span in without(each, deleted))
    return tuple(islice((seq for begin, end in left for seq in range(begin, end + 1)), limit))


def state_of(edge: CompactRange, newest_seq: int) -> LogState:
    """Returns the state of a tree."""
    return LogState(edge.size, edge.root(), newest_seq)
