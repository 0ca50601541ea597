"""Verification of the log from the rows as stored.

(1) Seqs have no gap that no tombstone accounts for, and no entry is missing at the end.
(2) The leaf at each entry's place is the hash of its record. (3) Every stored
subtree is the hash of its children. (4) Every head is signed, and the tree had its root at its size; so had the heads that the caller
kept elsewhere, and the log is not smaller than they are.

Whoever rewrites entries together with all subtrees is found by the heads; the entries changed are then named as a range, between the
last head that still holds and the first that does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meshflow_grpc.domain.check import LogFault, LogVerification, RunDeletion, shown
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.ledger.canonical import NotCanonicalError, decode
from meshflow_grpc.ledger.deletion import Deletion, deletion_of, within, without
from meshflow_grpc.ledger.merkle import leaf_hash
from meshflow_grpc.ledger.merkle_nodes import CompactRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshflow_grpc.domain.stored_row import LogRow
    from meshflow_grpc.ledger.deletion import Span
    from meshflow_grpc.ledger.merkle_nodes import MerkleNode

MAX_FAULTS: Final = 1000


class HeadClaim(NamedTuple):
    """What a head says: the tree's size and root. ``name`` is how faults call it."""

    size: int
    root: bytes
    name: str


class LogVerifier:
    """Verifies entries as they come, by seq.

    Call ``wanted_leaves``, ``add`` and ``compare`` for each page, then ``finish_entries``; ``finish`` gives the result.
    """

    def __init__(self, size: int, heads: Sequence[HeadClaim]) -> None:
        self._size = size
        self._heads: dict[int, list[HeadClaim]] = {}
        for head in heads:
            self._heads.setdefault(head.size, []).append(head)
        self._tree = CompactRange()
        self._entries = 0
        self._good = 0
        self._bad: HeadClaim | None = None
        self._faults: list[LogFault] = []
        self._gaps: list[Span] = []
        self._deletions: list[Deletion] = []
        self._check_heads()

    def wanted_leaves(self, rows: Sequence[LogRow]) -> list[tuple[int, int]]:
        """Returns the stored leaves that ``add`` needs for the next rows."""
        last = rows[-1].seq
        end = min(last, self._size) if isinstance(last, int) else self._size
        return [(0, index) for index in range(self._tree.size, end)]

    def add(self, rows: Sequence[LogRow], leaves: Mapping[tuple[int, int], bytes]) -> list[MerkleNode]:
        """Verifies the leaves of the next rows; returns the subtrees above them, for ``compare``."""
        nodes: list[MerkleNode] = []
        for row in rows:
            self._entries += 1
            seq = row.seq if isinstance(row.seq, int) else 0
            if seq <= self._tree.size:
                self._fault(row, "seq: no entry can have this place in the ledger")
                continue
            if seq > self._tree.size + 1:
                self._fill(seq - 1, leaves, nodes)
            if seq != self._tree.size + 1:
                self._fault(row, f"seq: the log ends at {self._size}, no entry can have this place")
                continue
            leaf = leaf_hash(row.record) if isinstance(row.record, bytes) else b""
            if seq <= self._size and leaf != leaves.get((0, seq - 1)):
                self._fault(row, "the log: the record is not the one that was integrated here: it was changed or moved")
            elif row.kind == EntryKind.RUN_DELETED:
                self._note_deletion(row)
            self._grow(leaf, nodes)
        return nodes

    def compare(self, nodes: Iterable[MerkleNode], stored: Mapping[tuple[int, int], bytes]) -> None:
        """Compares computed subtrees with those stored."""
        for node in nodes:
            last = (node.idx + 1) << node.level
            if last <= self._size and stored.get((node.level, node.idx)) != node.hash:
                first = (node.idx << node.level) + 1
                self._found(
                    LogFault(last, "", 0, f"the log: the subtree over seq {first} to {last} is not that of them")
                )

    def finish_entries(self, leaves: Mapping[tuple[int, int], bytes]) -> None:
        """Verifies, after the last row, that no entry is missing at the end; ``leaves`` are the stored ones from ``size`` on."""
        self._fill(self._size, leaves, [])
        self._report_gaps()
        beyond = [head for size, heads in self._heads.items() for head in heads if size > self._tree.size]
        for head in beyond[:1]:
            description = f"rollback: {head.name} covers {head.size} entries, the ledger has {self._tree.size}"
            self._found(LogFault(self._tree.size + 1, "", 0, description))

    @property
    def size(self) -> int:
        """How many leaves were taken so far."""
        return self._tree.size

    def finish(self, newest: HeadClaim | None, heads_checked: int, *, signed: bool) -> LogVerification:
        """Returns the result; ``newest`` is the newest stored head."""
        if self._bad is not None:
            self._found(
                LogFault(
                    self._bad.size,
                    "",
                    0,
                    f"the log: {self._bad.name} has another root: an entry from seq {self._good + 1} to {self._bad.size} "
                    "was changed, or the head was",
                )
            )
        return LogVerification(
            entries_checked=self._entries,
            pending=max(0, self._tree.size - (newest.size if newest else 0)),
            size=newest.size if newest else 0,
            root=newest.root.hex() if newest else "",
            heads_checked=heads_checked,
            signed=signed,
            faults=tuple(self._faults),
            deletions=tuple(
                RunDeletion(each.run_id, each.entries, each.time, each.principal_id, each.basis)
                for each in self._deletions
            ),
        )

    def fault(self, description: str) -> None:
        """Adds a fault about the log as a whole."""
        self._found(LogFault(0, "", 0, description))

    def _fill(self, index: int, leaves: Mapping[tuple[int, int], bytes], nodes: list[MerkleNode]) -> None:
        """Takes the leaves of missing entries as stored, up to an index, so that what follows can be verified."""
        first = self._tree.size + 1
        for missing in range(self._tree.size, min(index, self._size)):
            self._grow(leaves.get((0, missing), b""), nodes)
        if self._tree.size >= first:
            self._gaps.append((first, self._tree.size))

    def _note_deletion(self, row: LogRow) -> None:
        """Takes a tombstone into account; what it says was deleted must be gone."""
        try:
            record: Any = decode(row.record if isinstance(row.record, bytes) else b"")
            deletion = deletion_of(record)
        except (NotCanonicalError, ValueError, KeyError, TypeError) as error:
            self._fault(row, f"deletion: {error}")
            return
        self._deletions.append(deletion)
        for first, last in deletion.spans:
            if not within((first, last), self._gaps):
                self._fault(row, f"deletion: it says that seq {first} to {last} were deleted, and they are not gone")

    def _report_gaps(self) -> None:
        deleted = sorted(span for each in self._deletions for span in each.spans)
        for first, last in [left for gap in self._gaps for left in without(gap, deleted)]:
            gone = f"seq {first}" if first == last else f"seq {first} to {last}"
            self._found(
                LogFault(first, "", 0, f"the log: {gone} was deleted: the log has its leaf, the ledger no entry")
            )

    def _grow(self, leaf: bytes, nodes: list[MerkleNode]) -> None:
        self._tree.add_leaf(leaf, nodes)
        if self._tree.size in self._heads:
            self._check_heads()

    def _check_heads(self) -> None:
        for head in self._heads.get(self._tree.size, ()):
            if self._bad is None and head.root != self._tree.root():
                self._bad = head
            elif self._bad is None:
                self._good = head.size

    def _fault(self, row: LogRow, description: str) -> None:
        columns: Any = row
        seq = columns.seq if isinstance(columns.seq, int) else 0
        sequence = columns.sequence if isinstance(columns.sequence, int) else 0
        self._found(LogFault(seq, shown(columns.run_id), sequence, description))

    def _found(self, fault: LogFault) -> None:
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(fault)
