"""Verification of one run's chain, from the rows as stored.

For each entry, in this order: (1) the record is canonical and whole; (2) the stored hash is the record's; (3) every index column says
what the record says; (4) each payload opens its commitment; (5) the sequence has no gap and no repetition, and each entry names its
predecessor's hash. Then (6) the run's row is the projection of its entries, so that a cut-off end is found.

Not found from one run alone: a whole run deleted, or an end rewritten together with the run's row by someone who recomputed all
hashes. That takes a witness outside the file.
"""

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from meshflow_grpc.domain.check import ChainFault, ChainVerification, PayloadErasure, RunDeletion, shown
from meshflow_grpc.domain.ledger_entry import GENESIS_HASH, EntryKind
from meshflow_grpc.domain.stored_row import EntryRow
from meshflow_grpc.ledger.canonical import NotCanonicalError
from meshflow_grpc.ledger.chain import commitment_place, entry_hash, opens_commitment_at
from meshflow_grpc.ledger.deletion import Deletion, deletion_of
from meshflow_grpc.ledger.erasure import covering
from meshflow_grpc.ledger.projection import Projection
from meshflow_grpc.ledger.record import parsed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshflow_grpc.domain.stored_row import RunRow

MAX_FAULTS = 1000
_RUN_DELETED = EntryKind.RUN_DELETED.value

_FIELDS = ("run_id", "tenant_id", "sequence", "kind", "node_id", "step_id", "attempt", "time", "prev_hash")
_INDEXED = itemgetter(*_FIELDS)
_COLUMNS = itemgetter(*map(EntryRow._fields.index, _FIELDS))


class _Link(NamedTuple):
    """What linking needs of an entry. ``digest`` is None when the record cannot be read; ``sound`` when no fault was found in it."""

    sequence: int
    seq: int
    node_id: str
    prev_hash: str | None
    digest: str | None
    stored_hash: object
    sound: bool


class ChainVerifier:
    """Verifies rows as they come, page by page. ``finish`` gives the result."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._faults: list[ChainFault] = []
        self._found = 0
        self._entries = 0
        self._payloads = 0
        self._missing: list[tuple[int, object, object, str]] = []
        self._present: list[tuple[int, object, object, str]] = []
        self._last: _Link | None = None
        self._strays: list[_Link] = []
        self._projection = Projection(run_id)
        self._tombstone: tuple[_Link, Deletion] | None = None

    def add(self, rows: Iterable[EntryRow]) -> None:
        """Verifies the next rows of the run."""
        for row in rows:
            self._entries += 1
            link = self._verify(row)
            if link.sequence == self._next_sequence:
                self._join(link)
            else:
                self._strays.append(link)

    def finish(self, run: RunRow | None) -> ChainVerification:
        """Verifies what only shows at the end, against the run's row (None when it is gone), and returns the result."""
        if self._tombstone is not None and self._entries == 1:
            return self._deleted(run, *self._tombstone)
        if self._tombstone is not None:
            link, _ = self._tombstone
            self._fault(
                link.sequence, link.seq, "", "deletion: an entry says that the run was deleted, and it is there"
            )
        for link in sorted(self._strays, key=lambda stray: (stray.sequence, stray.seq)):
            self._join_stray(link)
        head_sequence, head_hash = (self._last.sequence, self._last.digest) if self._last else (0, GENESIS_HASH)
        erased = self._erased_by_entry()
        for sequence, description in self._projection.faults(run, head_sequence, head_hash):
            self._fault(sequence, 0, "", description)
        return ChainVerification(
            run_id=shown(self._run_id),
            entries_checked=self._entries,
            payloads_checked=self._payloads,
            payloads_erased=len(self._missing),
            head_sequence=head_sequence,
            head_hash=head_hash or GENESIS_HASH,
            faults=tuple(self._faults),
            erasures=tuple(
                PayloadErasure(each.sequence, each.time, each.principal_id, each.basis, erased[each.sequence])
                for each in self._projection.erased
            ),
        )

    def _deleted(self, run: RunRow | None, link: _Link, deletion: Deletion) -> ChainVerification:
        """The result for a run of which the tombstone is all that is left."""
        if run is not None:
            self._fault(0, 0, "", "run: an entry says that the run was deleted, and its row is there")
        told = RunDeletion(self._run_id, deletion.entries, deletion.time, deletion.principal_id, deletion.basis)
        return ChainVerification(
            self._run_id, 1, 0, 0, link.sequence, link.digest or GENESIS_HASH, tuple(self._faults), deletion=told
        )

    def _erased_by_entry(self) -> Counter[int]:
        """Counts missing payloads by the erasure entry that names them; one that none names is a fault."""
        counted: Counter[int] = Counter()
        for sequence, seq, node_id, name in self._missing:
            erasure = covering(self._projection.erased, sequence, name)
            if erasure is None:
                self._fault(
                    sequence, seq, node_id, f"{name}: the payload is missing and no entry says that it was erased"
                )
            else:
                counted[erasure.sequence] += 1
        for sequence, seq, node_id, name in self._present if self._projection.erased else ():
            if covering(self._projection.erased, sequence, name) is not None:
                self._fault(sequence, seq, node_id, f"{name}: an entry says it was erased, and it is there")
        return counted

    @property
    def _next_sequence(self) -> int:
        return self._last.sequence + 1 if self._last else 1

    def _verify(self, row: EntryRow) -> _Link:
        before = self._found
        data = _record_bytes(row.record)
        try:
            record = parsed(data)
        except NotCanonicalError as error:
            return self._unreadable(row, error)
        digest = entry_hash(data)
        sequence, node_id = record["sequence"], record["node_id"]
        if digest != row.hash:
            # A record that does not match its hash may be lying about its own place; the columns then name it.
            if type(row.sequence) is int:
                sequence, node_id = row.sequence, row.node_id
            self._fault(sequence, row.seq, node_id, "hash: the record does not have the stored hash")
        if _COLUMNS(row) != _INDEXED(record) or record["run_id"] != self._run_id:
            self._compare_columns(row, record, sequence, node_id)
        self._check_payloads(row, record, sequence, node_id)
        self._projection.fold(record)
        seq = row.seq if type(row.seq) is int else 0
        link = _Link(sequence, seq, str(node_id), record["prev_hash"], digest, row.hash, before == self._found)
        if record["kind"] == _RUN_DELETED:
            self._note_deletion(record, link)
        return link

    def _unreadable(self, row: EntryRow, error: NotCanonicalError) -> _Link:
        self._projection.incomplete = True
        sequence = row.sequence if type(row.sequence) is int else self._next_sequence
        self._fault(sequence, row.seq, row.node_id, f"record: {error.violations[0].description}")
        return _Link(sequence, _number(row.seq), str(row.node_id), None, None, row.hash, sound=False)

    def _note_deletion(self, record: dict[str, Any], link: _Link) -> None:
        try:
            self._tombstone = link, deletion_of(record)
        except ValueError as error:
            self._fault(link.sequence, link.seq, "", f"deletion: {error}")

    def _compare_columns(self, row: EntryRow, record: dict[str, Any], sequence: int, node_id: object) -> None:
        for name, column in zip(_FIELDS, _COLUMNS(row), strict=True):
            if column != record[name]:
                self._fault(
                    sequence, row.seq, node_id, f"{name}: the column says {column!r}, the record {record[name]!r}"
                )
        if record["run_id"] != self._run_id:
            self._fault(sequence, row.seq, node_id, f"run_id: the record belongs to run {record['run_id']!r}")

    def _check_payloads(self, row: EntryRow, record: dict[str, Any], sequence: int, node_id: object) -> None:
        place = commitment_place(record["tenant_id"], record["run_id"], record["sequence"])
        for name, payload, salt in (("input", row.input, row.input_salt), ("output", row.output, row.output_salt)):
            commitment = record[name]
            if commitment is None:
                if payload is not None or salt is not None:
                    description = f"{name}: a payload or salt is stored, the record knows of none"
                    self._fault(sequence, row.seq, node_id, description)
                continue
            self._payloads += 1
            if payload is None and salt is None:
                self._missing.append((sequence, row.seq, node_id, name))
                continue
            self._present.append((sequence, row.seq, node_id, name))
            if not opens_commitment_at(place, commitment, name, salt, payload):
                description = f"{name}: the payload and its salt do not match the commitment in the record"
                self._fault(sequence, row.seq, node_id, description)

    def _join(self, link: _Link) -> None:
        """Checks that an entry in its place names its predecessor's hash."""
        last = self._last
        self._last = link
        if not link.sound or (
            last is not None and not last.sound and link.prev_hash in (last.digest, last.stored_hash)
        ):
            return
        if last is None:
            if link.prev_hash != GENESIS_HASH:
                self._fault(link.sequence, link.seq, link.node_id, "prev_hash: the first entry must name 64 zeros")
        elif last.digest is not None and link.prev_hash != last.digest:
            self._fault(
                last.sequence,
                last.seq,
                last.node_id,
                f"hash: entry {link.sequence} was chained to another entry {last.sequence}: one of the two was rewritten",
            )

    def _join_stray(self, link: _Link) -> None:
        expected = self._next_sequence
        if link.sequence < expected:
            self._projection.incomplete = True
            self._fault(link.sequence, link.seq, link.node_id, f"sequence: there is another entry {link.sequence}")
        elif link.sequence > expected:
            self._projection.incomplete = True
            self._fault(expected, 0, "", f"sequence: {_range(expected, link.sequence - 1)} missing")
            self._last = link
        else:
            self._join(link)

    def _fault(self, sequence: int, seq: object, node_id: object, description: str) -> None:
        self._found += 1
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(ChainFault(sequence, _number(seq), shown(node_id), shown(description)))


def verify_chain(run_id: str, entries: Iterable[EntryRow], run: RunRow | None) -> ChainVerification:
    """Verifies a run's rows at once; see ChainVerifier for page by page."""
    verifier = ChainVerifier(run_id)
    verifier.add(entries)
    return verifier.finish(run)


def _record_bytes(stored: object) -> bytes:
    return stored if isinstance(stored, bytes) else b""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _range(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
