"""The procedure, in the order of its numbers. Each check is made by the module named behind it.

 1. archive      The tar has its one allowed form and holds a bundle's files only. (archive)
 2. manifest     The manifest names every file with size and SHA-256, and states what the bundle holds. (manifest)
 3. records      Every record is canonical and has the documented fields. (entries)
 4. chains       In each run, sequences have no gap and each record names the hash of the one before. (entries)
 5. payloads     Every payload opens the commitment in its record. (payloads)
 6. erasures     Every payload that is gone was erased by an entry that says who, when and why. (payloads)
 7. runs         Each run's row says what its records say; a run that has ended ends with run_finished. (run_rows)
 8. policies     Every policy that a record names is here, and has the digest that is its name. (policies)
 9. approvals    The list of decisions is that of the records. (policies)
10. heads        Every checkpoint is signed by a key that the auditor trusts, and all are of one log. (heads)
11. inclusion    Each run's last record, or every record of the log, is under a signed head. (heads)
12. consistency  Each head, and one the auditor remembers, is a prefix of the newest. (heads)
13. peers        What a record says of a run at a peer is what the peer's own bundle, if it is here, shows by these checks. (peers)

The CALLER must obtain the trusted keys, and a remembered head, from somewhere other than the bundle.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meshflow_grpc.audit import heads as head_checks
from meshflow_grpc.audit.archive import Archive, ArchiveError
from meshflow_grpc.audit.entries import EntryAudit
from meshflow_grpc.audit.manifest import check_files, check_statements, read_manifest
from meshflow_grpc.audit.note import NoteError, open_checkpoint, trusted_keys
from meshflow_grpc.audit.peers import (
    MAX_DEPTH,
    PeerClaim,
    PeerResult,
    check_claim,
    peer_claims,
    take_findings,
    unclaimed,
)
from meshflow_grpc.audit.policies import check_approvals, check_policies
from meshflow_grpc.audit.report import Check, Finding, Report
from meshflow_grpc.audit.run_rows import read_runs
from meshflow_grpc.audit.statements import state_result

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from meshflow_grpc.audit.note import Head, TrustedKey


class UsageError(ValueError):
    """What the auditor gave (keys, head, path) cannot be used."""


def verify_bundle(
    path: str | Path, trusted_vkeys: str, *, trusted_head: str | None = None, expected_runs: Collection[str] = ()
) -> Report:
    """Verifies a bundle and returns what was found, proved and not proved; it never raises for what the bundle holds.

    ``trusted_vkeys`` are public keys, one a line; ``trusted_head`` is a signed checkpoint that the auditor kept from earlier;
    ``expected_runs`` must be in the bundle. Raises UsageError when these, or the path, cannot be used.
    """
    try:
        keys = trusted_keys(trusted_vkeys)
        head = None if trusted_head is None else open_checkpoint(trusted_head, keys)
    except NoteError as error:
        message = f"the trusted {'keys' if trusted_head is None else 'keys or head'}: {error}"
        raise UsageError(message) from error
    report = Report(str(path))
    try:
        archive = Archive(Path(path))
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise UsageError(message) from error
    except ArchiveError as error:
        report.add(Finding(Check.ARCHIVE, error.file, str(error)))
        report.conclude(Check.ARCHIVE, "not a bundle")
        report.skip_rest("the archive cannot be read")
        return report
    try:
        _verify(archive, report, keys, head, expected_runs)
    finally:
        archive.close()
    return report


def _verify(
    archive: Archive,
    report: Report,
    keys: list[TrustedKey],
    trusted: Head | None,
    expected_runs: Collection[str],
    claims_here: Sequence[PeerClaim] = (),
    depth: int = 0,
) -> None:
    report.conclude(Check.ARCHIVE, f"{len(archive.names())} files")
    manifest = read_manifest(archive, report)
    if manifest is None:
        report.conclude(Check.MANIFEST, "not one of this format")
        report.skip_rest("there is no manifest that says what to check")
        return
    whole_log = manifest["coverage"] == "log"
    check_files(archive, report, manifest)
    heads = head_checks.read_heads(archive, report, keys)
    claims = head_checks.read_claims(archive, report, heads)
    sizes = {*heads.by_size, *({trusted.size} if trusted else ())}
    wanted = {(claim.run_id, claim.sequence) for claim in claims}
    wanted |= {(claim.run_id, claim.sequence) for claim in claims_here}
    entries = EntryAudit(archive, report, wanted, sizes)
    entries.read(whole_log=whole_log)
    for claim in claims_here:
        check_claim(report, claim, entries, keys)
    rows = read_runs(archive, report, entries.runs)
    for run_id in sorted(set(expected_runs) - entries.runs.keys()):
        report.add(Finding(Check.RUNS, "runs.jsonl", "the run you expect is not in the bundle", run_id=run_id))
    policies = check_policies(archive, report, entries, rows)
    approvals = check_approvals(archive, report, entries)
    proved = head_checks.check_inclusion(report, claims, entries)
    if whole_log:
        head_checks.check_whole_log(report, heads, entries)
        if trusted is not None:
            head_checks.check_kept_head(report, heads, trusted, entries)
    else:
        head_checks.check_last_entries(report, proved, entries)
    head_checks.check_consistency(archive, report, heads, trusted)
    check_statements(report, manifest, heads, entries)
    peers = _check_peers(archive, report, keys, entries, depth)
    counts = {"policies": policies, "approvals": approvals, "peer_runs": peers.runs, "peer_bundles": peers.bundles}
    state_result(report, entries, rows, heads, trusted, whole_log=whole_log, counts=counts)
    report.not_proved += peers.missing


def _check_peers(
    archive: Archive, report: Report, keys: list[TrustedKey], entries: EntryAudit, depth: int
) -> PeerResult:
    """Verifies the bundles of peers, each once, with all that records say of it (check 13)."""
    claims = list(peer_claims(report, entries))
    unclaimed(report, archive, claims)
    result, here = PeerResult(), set(archive.names("peers/"))
    for run_id in dict.fromkeys(claim.run_id for claim in claims):
        own = [claim for claim in claims if claim.run_id == run_id]
        result.runs += 1
        if own[0].file in here:
            result.bundles += 1
            _verify_peer(archive.read(own[0].file), report, keys, own, depth)
        else:
            result.missing.append(f"what {own[0].slug} did in run {run_id}: its bundle is not in this one")
    return result


def _verify_peer(data: bytes, report: Report, keys: list[TrustedKey], claims: list[PeerClaim], depth: int) -> None:
    file, (run_id, sequence) = claims[0].file, claims[0].place
    found = Report(file)
    if depth >= MAX_DEPTH:
        report.add(Finding(Check.PEERS, file, f"lies deeper than {MAX_DEPTH} bundles", 0, run_id, sequence))
        return
    try:
        archive = Archive(data)
    except ArchiveError as error:
        report.add(Finding(Check.PEERS, file, f"{error.file} {error}", 0, run_id, sequence))
        return
    _verify(archive, found, keys, None, (claims[0].run_id,), claims, depth + 1)
    take_findings(report, claims[0], found)
