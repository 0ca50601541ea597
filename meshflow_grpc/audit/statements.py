"""Puts a verification's result into words: what each check covered, what is proved, and what no bundle can prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.audit.policies import NO_POLICY
from meshflow_grpc.audit.report import Check
from meshflow_grpc.audit.run_rows import OPEN_STATES

if TYPE_CHECKING:
    from meshflow_grpc.audit.entries import EntryAudit
    from meshflow_grpc.audit.heads import Heads
    from meshflow_grpc.audit.note import Head
    from meshflow_grpc.audit.report import Report


def state_result(
    report: Report,
    entries: EntryAudit,
    rows: dict[str, dict[str, Any]],
    heads: Heads,
    trusted: Head | None,
    *,
    whole_log: bool,
    counts: dict[str, int],
) -> None:
    """Concludes the checks and fills in what is proved, not proved and erased."""
    states = entries.payloads.states()
    report.counts = {
        "entries": entries.entries,
        "runs": len(entries.runs),
        "heads": len(heads.by_size),
        **counts,
        **{f"payloads_{state}": count for state, count in states.items()},
    }
    for check, detail in _details(report.counts, whole_log=whole_log).items():
        report.conclude(check, detail)
    report.erased = [
        f"run {run.run_id}: {', '.join(sorted(erasure.names))} of entries {erasure.first} to {erasure.last} "
        f"erased at {erasure.time} by {erasure.by}, because: {erasure.basis} (entry {erasure.sequence})"
        for run in entries.runs.values()
        for erasure in run.erasures
    ]
    report.not_proved = _limits(report, rows, heads, trusted, whole_log=whole_log)
    if report.ok and heads.newest is not None:
        report.proved = _proofs(report, heads, heads.newest, trusted, whole_log=whole_log)


def _details(counts: dict[str, int], *, whole_log: bool) -> dict[Check, str]:
    under = f"all {counts['entries']} records of the log" if whole_log else f"the last record of {counts['runs']} runs"
    return {
        Check.MANIFEST: "names, sizes, SHA-256 and totals",
        Check.RECORDS: f"{counts['entries']} records",
        Check.CHAINS: f"{counts['runs']} runs",
        Check.PAYLOADS: f"{counts['payloads_present']} opened, {counts['payloads_withheld']} withheld",
        Check.ERASURES: f"{counts['payloads_erased']} erased",
        Check.RUNS: f"{counts['runs']} rows",
        Check.POLICIES: f"{counts['policies']} policies",
        Check.APPROVALS: f"{counts['approvals']} decisions",
        Check.HEADS: f"{counts['heads']} signed heads",
        Check.INCLUSION: under,
        Check.CONSISTENCY: f"{counts['heads']} heads",
        Check.PEERS: f"{counts['peer_runs']} runs at peers, {counts['peer_bundles']} with their bundle",
    }


def _proofs(report: Report, heads: Heads, newest: Head, trusted: Head | None, *, whole_log: bool) -> list[str]:
    counts = report.counts
    proved = [
        f"{' and '.join(newest.signers)} signed the log {newest.origin!r} at {newest.size} entries",
        f"every byte of {counts['entries']} records of {counts['runs']} runs is what was under that head",
        f"{counts['payloads_present']} of {sum(_payload_counts(counts))} payloads are here, and are those the records commit to",
        f"each run that names a policy was held to it ({counts['policies']} given), {counts['approvals']} decisions by people included",
    ]
    if whole_log:
        proved.append("nothing is missing: these are all entries of the log up to that head")
    else:
        proved.append(
            "no entry is missing from the middle of a run, nor, later erasures apart, from the end of one that has ended"
        )
    if len(heads.by_size) > 1:
        proved.append(f"the log only grew between its {len(heads.by_size)} heads here")
    if counts["peer_bundles"]:
        proved.append(
            f"{counts['peer_bundles']} runs at peers are as their peers' own bundles here show, which verify too"
        )
    if trusted is not None:
        proved.append(f"the log still holds, unchanged, the {trusted.size} entries under the head you brought")
    return proved


def _limits(
    report: Report, rows: dict[str, dict[str, Any]], heads: Heads, trusted: Head | None, *, whole_log: bool
) -> list[str]:
    limits = [
        "that what the service recorded is what happened: a record proves what was written, and that it was not changed since"
    ]
    limits.append("what README.txt and keys.txt say: they are for the reader, and signed by nobody")
    if trusted is None:
        limits.append(
            "that others were shown the same log: compare the newest head with one kept elsewhere (--head), or a witness's"
        )
    if not whole_log:
        limits.append(
            "that these are all runs, or that the log holds no second run under the same name: that takes a bundle of the whole log"
        )
        if report.counts["runs"] > 1:
            limits.append(
                "which of two entries of different runs was written first: that takes a bundle of the whole log"
            )
        running = sorted(run_id for run_id, row in rows.items() if str(row["status"]) in OPEN_STATES)
        if running:
            limits.append(f"that there is no later entry of a run that has not ended: {', '.join(running[:20])}")
    elif heads.newest is not None:
        limits.append(f"that nothing was written after entry {heads.newest.size} of the log")
    by_hand = sorted(run_id for run_id, row in rows.items() if row["policy_digest"] == NO_POLICY)
    if by_hand:
        limits.append(f"that any policy was kept in runs that a program recorded by hand: {', '.join(by_hand[:20])}")
    limits += _gone(report.counts, rows)
    return limits


def _payload_counts(counts: dict[str, int]) -> list[int]:
    return [counts[f"payloads_{state}"] for state in ("present", "erased", "withheld")]


def _gone(counts: dict[str, int], rows: dict[str, dict[str, Any]]) -> list[str]:
    """Names what is not in the bundle and can therefore not be compared."""
    _, erased, withheld = _payload_counts(counts)
    gone = [
        f"what the {number} {state} payloads said"
        for number, state in ((erased, "erased"), (withheld, "withheld"))
        if number
    ]
    headless = sorted(run_id for run_id, row in rows.items() if row["header_salt"] is None)
    if headless:
        gone.append(
            f"workflow, policy text, ids, labels and start time in the rows of runs whose header was erased: {', '.join(headless[:20])}"
        )
    return gone
