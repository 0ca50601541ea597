"""Signed heads, inclusion and consistency (checks 10 to 12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from meshflow_grpc.audit.canonical_json import NotCanonicalError, parse_object
from meshflow_grpc.audit.merkle import GrowingTree, ProofError, root_from_inclusion, roots_from_consistency
from meshflow_grpc.audit.note import Head, NoteError, ProofText, TrustedKey, open_checkpoint, parse_proof
from meshflow_grpc.audit.report import Check, Finding

if TYPE_CHECKING:
    from meshflow_grpc.audit.archive import Archive
    from meshflow_grpc.audit.entries import EntryAudit
    from meshflow_grpc.audit.report import Report

TRUSTED = "trusted head"


class InclusionClaim(NamedTuple):
    """A proof that an entry is under a verified head."""

    file: str
    run_id: str
    sequence: int
    proof: ProofText
    head: Head


@dataclass(slots=True)
class Heads:
    """The verified heads of a bundle: by the text of their note, and by size. ``linked`` are the sizes tied to the newest."""

    by_note: dict[str, Head] = field(default_factory=dict)
    by_size: dict[int, Head] = field(default_factory=dict)
    linked: set[int] = field(default_factory=set)

    @property
    def newest(self) -> Head | None:
        """The largest head."""
        return self.by_size[max(self.by_size)] if self.by_size else None


def read_heads(archive: Archive, report: Report, keys: list[TrustedKey]) -> Heads:
    """Verifies the signature of each checkpoint (check 10)."""
    heads = Heads()
    for name in archive.names("checkpoints/"):
        note = archive.text(name)
        try:
            head = open_checkpoint(note, keys)
        except NoteError as error:
            report.add(Finding(Check.HEADS, name, str(error)))
            continue
        if name != f"checkpoints/{head.size:012}.txt":
            report.add(Finding(Check.HEADS, name, f"is named for another size than {head.size}", field="size"))
        heads.by_note[note] = heads.by_size[head.size] = head
    origins = sorted({head.origin for head in heads.by_size.values()})
    if len(origins) > 1:
        report.add(Finding(Check.HEADS, "checkpoints/", f"are of different logs: {', '.join(origins)}", field="origin"))
    if not heads.by_size:
        report.add(Finding(Check.HEADS, "checkpoints/", "there is no head that a trusted key signed"))
    return heads


def read_claims(archive: Archive, report: Report, heads: Heads) -> list[InclusionClaim]:
    """Parses the inclusion proofs; their leaves are known once the records were read."""
    claims = []
    for name in archive.names("proofs/"):
        try:
            proof = parse_proof(archive.text(name), "index", "c2sp.org/tlog-proof@v1")
            place = _entry_named(parse_object(proof.extra))
            claim = InclusionClaim(name, *place, proof, heads.by_note[proof.checkpoint])
        except NoteError as error:
            report.add(Finding(Check.INCLUSION, name, str(error)))
        except NotCanonicalError as error:
            report.add(Finding(Check.INCLUSION, name, f"the extra line {error}", field="extra"))
        except TypeError:
            report.add(Finding(Check.INCLUSION, name, "does not name a run and an entry", field="extra"))
        except KeyError:
            report.add(Finding(Check.INCLUSION, name, "leads to no verified checkpoint"))
        else:
            if name != f"proofs/{proof.number:012}.tlog-proof":
                report.add(Finding(Check.INCLUSION, name, f"is named for another index than {proof.number}"))
            claims.append(claim)
    return claims


def _entry_named(extra: dict[str, Any]) -> tuple[str, int]:
    """Returns the run and sequence that a proof's extra line names; raises TypeError when it says anything else."""
    run_id, sequence = extra.get("run_id"), extra.get("sequence")
    if len(extra) != 2 or type(run_id) is not str or type(sequence) is not int:
        raise TypeError
    return run_id, sequence


def check_inclusion(report: Report, claims: list[InclusionClaim], entries: EntryAudit) -> set[tuple[str, int]]:
    """Verifies the inclusion proofs (check 11) and returns the entries they are of."""
    proved = set()
    for file, run_id, sequence, proof, head in claims:
        leaf = entries.leaves.get((run_id, sequence))
        if leaf is None:
            report.add(Finding(Check.INCLUSION, file, "the bundle has no such entry", 0, run_id, sequence))
            continue
        try:
            root = root_from_inclusion(leaf, proof.number, head.size, proof.hashes)
        except ProofError as error:
            report.add(Finding(Check.INCLUSION, file, str(error), 0, run_id, sequence))
            continue
        if root != head.root:
            message = f"the record does not lead to the root of the head of {head.size} entries"
            report.add(Finding(Check.INCLUSION, file, message, 0, run_id, sequence))
        proved.add((run_id, sequence))
    return proved


def check_last_entries(report: Report, proved: set[tuple[str, int]], entries: EntryAudit) -> None:
    """Checks that the last entry of each run is under a head: through the chain it binds the earlier ones."""
    for run in entries.runs.values():
        if (run.run_id, run.sequence) not in proved:
            message = "the run's last entry has no inclusion proof"
            report.add(Finding(Check.INCLUSION, "proofs/", message, 0, run.run_id, run.sequence))


def check_whole_log(report: Report, heads: Heads, entries: EntryAudit) -> None:
    """Checks that the bundle's records are the log: their root is the head's, at each head's size (check 11)."""
    for size, head in heads.by_size.items():
        root = entries.roots.get(size)
        name = f"checkpoints/{size:012}.txt"
        if root is None:
            message = f"the head is over {size} entries, the bundle has {entries.entries}"
            report.add(Finding(Check.INCLUSION, name, message, field="size"))
        elif root != head.root:
            message = f"the first {size} records do not have this root: a record was changed, moved, added or removed"
            report.add(Finding(Check.INCLUSION, name, message, field="root"))
        else:
            heads.linked.add(size)
    newest = heads.newest
    if newest is not None and newest.size != entries.entries:
        message = f"there are {entries.entries} records, the newest head is over {newest.size}"
        report.add(Finding(Check.INCLUSION, "records.jsonl", message))


def check_kept_head(report: Report, heads: Heads, trusted: Head, entries: EntryAudit) -> None:
    """Compares the auditor's own head with the whole log's root at its size (check 12)."""
    root = entries.roots.get(trusted.size)
    if root == trusted.root:
        heads.linked.add(trusted.size)
    elif root is not None:
        message = f"the first {trusted.size} records do not have its root: the history was rewritten"
        report.add(Finding(Check.CONSISTENCY, TRUSTED, message))


def check_consistency(archive: Archive, report: Report, heads: Heads, trusted: Head | None) -> None:
    """Checks that every head, and the one that the auditor brought, is a prefix of the newest (check 12)."""
    newest = heads.newest
    if newest is None:
        return
    known = _known_roots(report, heads, newest, trusted)
    steps = [step for name in archive.names("consistency/") if (step := _step(archive, report, name, heads, known))]
    heads.linked |= {newest.size} | ({0} if known.get(0) == GrowingTree().root() else set())
    for old_size, size in sorted(steps, key=lambda step: (-step[1], -step[0])):
        if size in heads.linked:
            heads.linked.add(old_size)
    for size in sorted(known.keys() - heads.linked):
        if size > newest.size:
            message = f"the bundle's newest head is over {newest.size} entries, older than yours over {size}"
        else:
            message = f"nothing shows that the log of {size} entries is a prefix of the one of {newest.size}"
        file = f"checkpoints/{size:012}.txt" if size in heads.by_size else TRUSTED
        report.add(Finding(Check.CONSISTENCY, file, message))


def _known_roots(report: Report, heads: Heads, newest: Head, trusted: Head | None) -> dict[int, bytes]:
    """Returns the roots by size, the remembered head's among them."""
    known = {size: head.root for size, head in heads.by_size.items()}
    if trusted is None:
        return known
    if trusted.origin != newest.origin:
        message = f"is of {trusted.origin!r}, the bundle of {newest.origin!r}"
        report.add(Finding(Check.CONSISTENCY, TRUSTED, message))
    elif known.setdefault(trusted.size, trusted.root) != trusted.root:
        message = f"two different logs of {trusted.size} entries were signed: the history was rewritten"
        report.add(Finding(Check.CONSISTENCY, TRUSTED, message))
    return known


def _step(archive: Archive, report: Report, name: str, heads: Heads, known: dict[int, bytes]) -> tuple[int, int] | None:
    """Verifies one consistency proof and returns the two sizes that it ties."""
    try:
        proof = parse_proof(archive.text(name), "old")
        head, old_root = heads.by_note.get(proof.checkpoint), known.get(proof.number)
        if head is None or old_root is None:
            message = "does not lead from one known head to another"
            raise ProofError(message)
        roots = roots_from_consistency(proof.number, head.size, proof.hashes, old_root)
        if roots != (old_root, head.root):
            message = (
                f"the log of {proof.number} entries is not a prefix of the one of {head.size}: history was rewritten"
            )
            raise ProofError(message)
    except (NoteError, ProofError) as error:
        report.add(Finding(Check.CONSISTENCY, name, str(error)))
        return None
    if name != f"consistency/{proof.number:012}-{head.size:012}.txt":
        report.add(Finding(Check.CONSISTENCY, name, f"is named for other sizes than {proof.number} and {head.size}"))
    return proof.number, head.size
