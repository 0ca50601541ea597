"""The evidence bundle: one deterministic tar with all that an auditor needs to verify runs offline (docs/evidence-bundle.md).

The same evidence always gives the same bytes. Nothing in a bundle is to be believed because the bundle says so: whom to trust comes
from the auditor.
"""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import NO_POLICY_DIGEST
from meshflow_grpc.ledger.canonical import NotCanonicalError, decode, encode
from meshflow_grpc.ledger.checkpoint import parse_checkpoint
from meshflow_grpc.ledger.deterministic_tar import tar_chunks
from meshflow_grpc.ledger.evidence_readme import readme
from meshflow_grpc.ledger.note_key import to_base64

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshflow_grpc.domain.stored_row import EntryRow, RunRow
    from meshflow_grpc.ledger.checkpoint import Checkpoint
    from meshflow_grpc.ledger.note_key import VerifierKey
    from meshflow_grpc.ledger.proof_text import ConsistencyProof, InclusionProof

FORMAT: Final = "meshflow-evidence@v1"


class Coverage(StrEnum):
    """What a bundle holds: every entry of the log, in order, or all entries of some runs."""

    LOG = "log"
    RUNS = "runs"


@dataclass(frozen=True, slots=True)
class EntryProof:
    """An inclusion proof and the entry it is of."""

    run_id: str
    sequence: int
    proof: InclusionProof


@dataclass(frozen=True, slots=True)
class Evidence:
    """What goes into a bundle.

    ``entries`` are rows as stored, in log order. ``checkpoints`` are signed notes. In a bundle of runs, ``proofs`` hold at least one
    for the last entry of each run, which binds all earlier ones through the chain. ``consistency`` links each checkpoint to the next.
    ``peers`` are the bundles of runs that peers made for steps of these runs, by run id.
    ``exported`` says who exported and when, for the reader. Without ``with_payloads``, payloads are withheld, their commitments kept.
    """

    origin: str
    coverage: Coverage
    entries: Sequence[EntryRow]
    runs: Sequence[RunRow]
    checkpoints: Sequence[str]
    keys: Sequence[VerifierKey]
    exported: str
    proofs: Sequence[EntryProof] = ()
    peers: Mapping[str, bytes] = field(default_factory=dict)
    consistency: Sequence[ConsistencyProof] = ()
    with_payloads: bool = True


def bundle_chunks(evidence: Evidence) -> Iterator[bytes]:
    """Yields the bundle's bytes; raises InvalidRequestError naming what is missing or cannot be represented."""
    return tar_chunks(bundle_files(evidence))


def bundle_files(evidence: Evidence) -> dict[str, bytes]:
    """Returns the bundle's files by name; raises as ``bundle_chunks``."""
    heads = _checkpoints(evidence)
    records, approvals = _records(evidence)
    payloads, states = _payloads(evidence)
    files = {
        "records.jsonl": records,
        "approvals.jsonl": approvals,
        "payloads.jsonl": payloads,
        "runs.jsonl": _runs(evidence),
        "keys.txt": "".join(f"{key.vkey}\n" for key in evidence.keys).encode(),
        "README.txt": readme(evidence.origin, evidence.exported, len(evidence.runs), len(evidence.entries)),
    }
    files |= {f"checkpoints/{head.size:012}.txt": note.encode() for head, note in heads}
    files |= _policies(evidence) | _proofs(evidence, heads)
    files |= {f"peers/{run_id}.tar": bundle for run_id, bundle in evidence.peers.items()}
    files["manifest.json"] = _manifest(evidence, files, states, heads[-1][0])
    return files


def bundle_runs(bundle: bytes) -> tuple[str, ...]:
    """Returns the runs a bundle says it is of; it is not verified. Raises InvalidRequestError for anything but a bundle."""
    try:
        with tarfile.open(fileobj=BytesIO(bundle), mode="r:") as archive:
            manifest = archive.extractfile("manifest.json")
            named = json.loads(manifest.read())["runs"] if manifest is not None else ()
        return tuple(map(str, named))
    except (tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise _refuse("peers", "is not an evidence bundle") from error


def _refuse(field: str, description: str) -> InvalidRequestError:
    return InvalidRequestError.of(FieldViolation(field, description))


def _checkpoints(evidence: Evidence) -> list[tuple[Checkpoint, str]]:
    """Returns the checkpoints by size; their signatures are for the auditor to verify."""
    heads = sorted(
        ((parse_checkpoint(note.rpartition("\n\n")[0] + "\n"), note) for note in evidence.checkpoints),
        key=lambda head: head[0].size,
    )
    if not heads:
        raise _refuse("checkpoints", "a bundle needs at least one signed checkpoint")
    sizes = [head.size for head, _ in heads]
    if len(set(sizes)) != len(sizes):
        raise _refuse("checkpoints", "give one checkpoint for each tree size")
    foreign = {head.origin for head, _ in heads} - {evidence.origin}
    if foreign:
        raise _refuse("checkpoints", f"a checkpoint is of {foreign.pop()!r}, not of {evidence.origin!r}")
    if evidence.coverage is Coverage.LOG and sizes[-1] != len(evidence.entries):
        raise _refuse(
            "entries", f"a bundle of the whole log needs its {sizes[-1]} entries, there are {len(evidence.entries)}"
        )
    return heads


def _records(evidence: Evidence) -> tuple[bytes, bytes]:
    """Returns records.jsonl and, from it, approvals.jsonl."""
    lines, approvals = [], []
    for row in evidence.entries:
        where = f"record of entry {row.sequence} of run {row.run_id}"
        if not isinstance(row.record, bytes):
            raise NotCanonicalError.at(where, "is not bytes; verify the ledger first")
        lines.append(row.record)
        if row.kind == EntryKind.GATE_DECIDED:
            record: Any = decode(row.record, where)
            approvals.append(
                _line({"run_id": row.run_id, "sequence": row.sequence, "facts": record["facts"]}, "approval")
            )
        elif b"\n" in row.record:
            raise NotCanonicalError.at(where, "is not in canonical form; verify the ledger first")
    return _joined(lines), b"".join(approvals)


def _payloads(evidence: Evidence) -> tuple[bytes, Counter[str]]:
    """Returns payloads.jsonl, a line for each payload a record commits to, and how many there are of each state."""
    lines, states = [], Counter({"present": 0, "erased": 0, "withheld": 0})
    for row in evidence.entries:
        for name, payload, salt in (("input", row.input, row.input_salt), ("output", row.output, row.output_salt)):
            if payload is None and salt is None and not _commits(row, name):
                continue
            state = "erased" if payload is None else "present" if evidence.with_payloads else "withheld"
            states[state] += 1
            told = {"salt": salt, "payload": payload} if state == "present" else {state: True}
            lines.append(
                _line({"run_id": row.run_id, "sequence": row.sequence, "name": name, **told}, f"{name} of {row.run_id}")
            )
    return b"".join(lines), states


def _commits(row: EntryRow, name: str) -> bool:
    """Whether a record without a stored payload commits to one, so that the payload was erased."""
    data: Any = row.record
    record: Any = decode(data, f"record of entry {row.sequence} of run {row.run_id}")
    return record[name] is not None


def _runs(evidence: Evidence) -> bytes:
    named = {row.run_id for row in evidence.entries}
    rows = sorted(evidence.runs, key=lambda row: str(row.run_id))
    if {row.run_id for row in rows} != named or len(rows) != len(named):
        raise _refuse("runs", "give the row of each run that has entries in the bundle, once, and no other")
    lines = []
    for row in rows:
        columns: dict[str, Any] = row._asdict()
        if not evidence.with_payloads:
            withheld = [name for name in ("output", "reason") if columns[f"{name}_salt"] is not None]
            columns |= {column: None for name in withheld for column in (name, f"{name}_salt")} | {"withheld": withheld}
        lines.append(_line(columns, f"run {row.run_id}"))
    return b"".join(lines)


def _policies(evidence: Evidence) -> dict[str, bytes]:
    held = (row for row in evidence.runs if row.policy_digest != NO_POLICY_DIGEST)
    return {f"policies/{row.policy_digest}.json": str(row.policy).encode() for row in held}


def _proofs(evidence: Evidence, heads: Sequence[tuple[Checkpoint, str]]) -> dict[str, bytes]:
    last = {row.run_id: row.sequence for row in evidence.entries}
    unproved = last.items() - {(proof.run_id, proof.sequence) for proof in evidence.proofs}
    if unproved and evidence.coverage is Coverage.RUNS:
        run_id, sequence = min(unproved, key=str)
        raise _refuse("proofs", f"entry {sequence} of run {run_id!r}, its last one, needs an inclusion proof")
    notes = {note for _, note in heads}
    led_to = {entry.proof.checkpoint for entry in evidence.proofs} | {
        proof.checkpoint for proof in evidence.consistency
    }
    if led_to - notes:
        raise _refuse("proofs", "each proof must lead to one of the bundle's checkpoints")
    files = {f"proofs/{entry.proof.index:012}.tlog-proof": _proof_text(entry) for entry in evidence.proofs}
    for proof in evidence.consistency:
        size = parse_checkpoint(proof.checkpoint.rpartition("\n\n")[0] + "\n").size
        files[f"consistency/{proof.old_size:012}-{size:012}.txt"] = proof.text().encode()
    return files


def _proof_text(entry: EntryProof) -> bytes:
    """The proof, with the entry it is of as its extra line."""
    extra = encode({"run_id": entry.run_id, "sequence": entry.sequence})
    lines = entry.proof.text().split("\n")
    if entry.proof.extra is not None:
        del lines[1]
    return "\n".join([lines[0], f"extra {to_base64(extra)}", *lines[1:]]).encode()


def _manifest(evidence: Evidence, files: dict[str, bytes], states: Counter[str], head: Checkpoint) -> bytes:
    document = {
        "format": FORMAT,
        "origin": evidence.origin,
        "coverage": evidence.coverage.value,
        "head": {"size": head.size, "root": to_base64(head.root)},
        "entries": len(evidence.entries),
        "payloads": dict(states),
        "runs": sorted(str(row.run_id) for row in evidence.runs),
        "files": {
            name: {"bytes": len(content), "sha256": sha256(content).hexdigest()} for name, content in files.items()
        },
    }
    return _line(document, "manifest")


def _line(value: object, field: str) -> bytes:
    return encode(value, field) + b"\n"


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
