"""What records say of runs at peers, against the peers' own bundles (check 13)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from meshflow_grpc.audit.merkle import ProofError, root_from_inclusion
from meshflow_grpc.audit.note import NoteError, TrustedKey, open_checkpoint
from meshflow_grpc.audit.report import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.audit.archive import Archive
    from meshflow_grpc.audit.entries import EntryAudit
    from meshflow_grpc.audit.report import Report

MAX_DEPTH = 8
RECORDS = "records.jsonl"


class PeerClaim(NamedTuple):
    """What an entry, ``place``, says of a run at a peer: its last entry's place and hash, and the proof under a signed head, if any."""

    place: tuple[str, int]
    run_id: str
    slug: str
    sequence: int
    entry_hash: str
    leaf_index: int
    path: list[bytes]
    tree_head: str

    @property
    def file(self) -> str:
        """Where the peer's bundle is."""
        return f"peers/{self.run_id}.tar"


@dataclass(slots=True)
class PeerResult:
    """How many runs at peers there are, how many have their evidence here, and which have not."""

    runs: int = 0
    bundles: int = 0
    missing: list[str] = field(default_factory=list)


def peer_claims(report: Report, entries: EntryAudit) -> Iterator[PeerClaim]:
    """What the records say, as far as it can be read."""
    for place, peer in entries.peers:
        try:
            yield _claim(place, peer)
        except (KeyError, TypeError, ValueError):
            message = "says of a run at a peer what cannot be read"
            report.add(Finding(Check.PEERS, RECORDS, message, 0, place[0], place[1], "facts.peer"))


def _claim(place: tuple[str, int], peer: Any) -> PeerClaim:  # noqa: ANN401 - JSON
    texts = [peer[name] for name in ("run_id", "slug", "hash", "tree_head")]
    numbers = [peer[name] for name in ("sequence", "leaf_index")]
    if any(type(text) is not str for text in texts) or any(type(number) is not int for number in numbers):
        raise TypeError
    path = [base64.b64decode(each, validate=True) for each in peer["path"]]
    return PeerClaim(place, texts[0], texts[1], numbers[0], texts[2], numbers[1], path, texts[3])


def check_claim(report: Report, claim: PeerClaim, entries: EntryAudit, keys: list[TrustedKey]) -> None:
    """Checks in a peer's bundle that the entry named in the claim is the one meant, and is under the head that was recorded."""
    at = (claim.run_id, claim.sequence)
    if entries.hashes.get(at) != claim.entry_hash:
        message = "has another hash than the caller recorded" if at in entries.hashes else "is not in the peer's bundle"
        report.add(Finding(Check.PEERS, RECORDS, message, 0, claim.run_id, claim.sequence))
        return
    if not claim.tree_head:
        return
    try:
        head = open_checkpoint(claim.tree_head, keys)
        root = root_from_inclusion(entries.leaves[at], claim.leaf_index, head.size, claim.path)
    except (NoteError, ProofError) as error:
        report.add(Finding(Check.PEERS, RECORDS, f"the recorded head: {error}", 0, claim.run_id, claim.sequence))
        return
    if root != head.root:
        message = f"is not under the head of {head.size} entries that the caller recorded"
        report.add(Finding(Check.PEERS, RECORDS, message, 0, claim.run_id, claim.sequence))


def take_findings(report: Report, claim: PeerClaim, found: Report) -> None:
    """What is wrong with a peer's bundle is wrong with this one."""
    for finding in found.findings:
        report.add(Finding(Check.PEERS, claim.file, finding.text(), 0, claim.place[0], claim.place[1]))
    if not found.ok and not found.findings:
        report.add(Finding(Check.PEERS, claim.file, "could not be checked", 0, claim.place[0], claim.place[1]))


def unclaimed(report: Report, archive: Archive, claims: list[PeerClaim]) -> None:
    """A bundle that no record speaks of does not belong here."""
    named = {claim.file for claim in claims}
    for name in archive.names("peers/"):
        if name not in named:
            report.add(Finding(Check.PEERS, name, "no record names this run at a peer"))
