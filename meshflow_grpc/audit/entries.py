"""The records, one by one: canonical form, the chains, and what each commits to (checks 3 to 6)."""

from __future__ import annotations

from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from meshflow_grpc.audit.canonical_json import NotCanonicalError, parse_object
from meshflow_grpc.audit.merkle import GrowingTree, leaf_hash
from meshflow_grpc.audit.payloads import PayloadAudit
from meshflow_grpc.audit.report import Check, Finding
from meshflow_grpc.audit.run_state import MalformedError, RunState

if TYPE_CHECKING:
    from collections.abc import Container

    from meshflow_grpc.audit.archive import Archive
    from meshflow_grpc.audit.report import Report

FILE = "records.jsonl"
FORMAT_VERSION = 1

_TEXTS = ("run_id", "tenant_id", "kind", "time", "node_id", "step_id", "prev_hash")
_STRINGS = frozenset({str})
_texts = itemgetter(*_TEXTS)
_FIELDS = {*_TEXTS, "v", "sequence", "attempt", "input", "output", "change", "facts"}

# Entries whose ``peer`` says what a peer did; that of an intent says whom a step asks.
_OUTCOMES = frozenset({"step_committed", "step_denied", "step_paused", "step_failed", "step_cancelled"})


def entry_hash(record: bytes) -> str:
    """Returns the hash of an entry in hex."""
    return sha256(b"meshflow/v1/chain\0" + len(record).to_bytes(8, "big") + record).hexdigest()


class EntryAudit:
    """Reads all records once. ``wanted`` are the entries whose hashes proofs need; ``sizes`` the tree sizes whose roots do."""

    def __init__(
        self, archive: Archive, report: Report, wanted: Container[tuple[str, int]], sizes: Container[int]
    ) -> None:
        self._archive = archive
        self._report = report
        self._wanted = wanted
        self._sizes = sizes
        self.runs: dict[str, RunState] = {}
        self.leaves: dict[tuple[str, int], bytes] = {}
        self.roots: dict[int, bytes] = {}
        self.policy_digests: dict[str, tuple[str, int]] = {}
        self.approvals: dict[tuple[str, int], Any] = {}
        self.hashes: dict[tuple[str, int], str] = {}
        self.peers: list[tuple[tuple[str, int], Any]] = []
        self.payloads = PayloadAudit(archive, report)
        self.entries = 0

    def read(self, *, whole_log: bool) -> None:
        """Verifies every record; with ``whole_log`` also computes the log's roots at the wanted sizes."""
        tree = GrowingTree()
        for number, data in self._archive.lines(FILE):
            self.entries += 1
            self._entry(number, data)
            if whole_log:
                tree.add(leaf_hash(data))
                if tree.size in self._sizes:
                    self.roots[tree.size] = tree.root()
        if whole_log and 0 in self._sizes:
            self.roots[0] = GrowingTree().root()
        self.payloads.finish(self.runs)

    def _entry(self, number: int, data: bytes) -> None:
        try:
            record = _parsed(data)
        except NotCanonicalError as error:
            self._report.add(Finding(Check.RECORDS, FILE, f"the record {error}", number))
            return
        run_id, sequence = record["run_id"], record["sequence"]
        run = self.runs.get(run_id)
        if run is None:
            run = self.runs[run_id] = RunState(run_id, record["tenant_id"])
        self._link(run, record, number)
        try:
            run.fold(record, entry_hash(data))
        except MalformedError as error:
            self._report.add(Finding(Check.RECORDS, FILE, str(error), number, run_id, sequence))
        self.payloads.compare(record, "input")
        self.payloads.compare(record, "output")
        self._collect(record, data)

    def _link(self, run: RunState, record: dict[str, Any], number: int) -> None:
        """Checks that a record follows the one before it in its run."""
        sequence, expected = record["sequence"], run.sequence + 1
        if sequence != expected:
            field, message = (
                "sequence",
                f"entry {expected} is missing" if sequence > expected else "is repeated or out of order",
            )
        elif record["prev_hash"] != run.head:
            field, message = "prev_hash", f"is not the hash of entry {run.sequence}: one of the two was rewritten"
            if sequence == 1:
                message = "must be 64 zeros in the first entry"
        elif record["tenant_id"] != run.tenant_id:
            field, message = "tenant_id", f"is {record['tenant_id']!r}, the run's is {run.tenant_id!r}"
        else:
            return
        self._report.add(Finding(Check.CHAINS, FILE, message, number, run.run_id, sequence, field))

    def _collect(self, record: dict[str, Any], data: bytes) -> None:
        """Keeps what later checks need."""
        place = (record["run_id"], record["sequence"])
        digest = record["facts"].get("policy_digest")
        if digest is not None:
            self.policy_digests.setdefault(str(digest), place)
        if record["kind"] == "gate_decided":
            self.approvals[place] = record["facts"]
        if record["kind"] in _OUTCOMES and "peer" in record["facts"]:
            self.peers.append((place, record["facts"]["peer"]))
        if place in self._wanted:
            self.leaves[place] = leaf_hash(data)
            self.hashes[place] = entry_hash(data)


def _parsed(data: bytes) -> dict[str, Any]:
    """Returns a record of this format version; raises NotCanonicalError saying why it is none."""
    record = parse_object(data)
    if record.keys() != _FIELDS:
        message = f"does not have the fields of an entry: {', '.join(sorted(record.keys() ^ _FIELDS))[:120]}"
        raise NotCanonicalError(message)
    if record["v"] != FORMAT_VERSION or type(record["v"]) is not int:
        message = f"has format version {record['v']!r}, this program knows {FORMAT_VERSION}"
        raise NotCanonicalError(message)
    well_typed = (
        _STRINGS.issuperset(map(type, _texts(record)))
        and type(record["sequence"]) is type(record["attempt"]) is int
        and isinstance(record["input"], str | None)
        and isinstance(record["output"], str | None)
        and isinstance(record["change"], dict | None)
        and type(record["facts"]) is dict
    )
    if not well_typed:
        message = "has a field of another type than documented"
        raise NotCanonicalError(message)
    return record
