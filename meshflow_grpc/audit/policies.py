"""Policies and approvals against the records (checks 8 and 9)."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from meshflow_grpc.audit.canonical_json import NotCanonicalError, canonical, parse_object
from meshflow_grpc.audit.report import Check, Finding

if TYPE_CHECKING:
    from meshflow_grpc.audit.archive import Archive
    from meshflow_grpc.audit.entries import EntryAudit
    from meshflow_grpc.audit.report import Report

APPROVALS = "approvals.jsonl"
# What a run names that was recorded by hand: no stage held it to anything.
NO_POLICY = "0" * 64


def policy_digest(document: object) -> str:
    """Returns the digest of a policy in hex: numbers are hashed as their shortest decimal text."""
    text = json.dumps(_decimal(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(b"meshflow/v1/policy\0" + text.encode()).hexdigest()


def _decimal(value: object) -> object:
    if isinstance(value, dict):
        return {key: _decimal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decimal(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return repr(int(value))
    return value if isinstance(value, bool) or not isinstance(value, int | float) else repr(value)


def check_policies(archive: Archive, report: Report, entries: EntryAudit, rows: dict[str, dict[str, Any]]) -> int:
    """Checks that each policy named is here and has its digest; returns how many there are. NO_POLICY names none."""
    policies = {name.removeprefix("policies/").removesuffix(".json") for name in archive.names("policies/")}
    stated = {(str(row["policy_digest"]), str(row["policy"])) for row in rows.values()}
    for digest in sorted(policies):
        _check_text(archive, report, digest, stated)
    held = policies | {NO_POLICY}
    for digest, (run_id, sequence) in entries.policy_digests.items():
        if digest not in held:
            message = f"names policy {digest}, which is not in policies/"
            report.add(Finding(Check.POLICIES, "records.jsonl", message, 0, run_id, sequence, "policy_digest"))
    for run_id, row in rows.items():
        if str(row["policy_digest"]) not in held:
            message = f"names policy {row['policy_digest']}, which is not in policies/"
            report.add(Finding(Check.POLICIES, "runs.jsonl", message, run_id=run_id, field="policy_digest"))
    named = {str(row["policy_digest"]) for row in rows.values()} | entries.policy_digests.keys()
    for digest in sorted(policies - named):
        report.add(Finding(Check.POLICIES, f"policies/{digest}.json", "no run and no record names it"))
    return len(policies)


def _check_text(archive: Archive, report: Report, digest: str, stated: set[tuple[str, str]]) -> None:
    """A digest has many texts (a key twice, another encoding, a number as a text): this one must be a run's, and have it."""
    name = f"policies/{digest}.json"
    if (digest, archive.text(name)) not in stated:
        report.add(Finding(Check.POLICIES, name, "is not the text in the row of a run"))
    try:
        computed = policy_digest(json.loads(archive.read(name)))
    except (ValueError, OverflowError, RecursionError):
        report.add(Finding(Check.POLICIES, name, "is not JSON"))
        return
    if computed != digest:
        report.add(Finding(Check.POLICIES, name, f"its digest is {computed}"))


def check_approvals(archive: Archive, report: Report, entries: EntryAudit) -> int:
    """Checks that approvals.jsonl is what the records of decisions say; returns how many there are."""
    missing = dict(entries.approvals)
    for number, data in archive.lines(APPROVALS):
        try:
            row = parse_object(data)
            place = (row["run_id"], row["sequence"])
            facts = missing.pop(place)
        except (NotCanonicalError, KeyError, TypeError):
            report.add(Finding(Check.APPROVALS, APPROVALS, "is not the copy of a gate_decided record", number))
            continue
        if row.keys() != {"run_id", "sequence", "facts"} or canonical(row["facts"]) != canonical(facts):
            report.add(Finding(Check.APPROVALS, APPROVALS, "differs from its record", number, *place, "facts"))
    for run_id, sequence in missing:
        report.add(Finding(Check.APPROVALS, APPROVALS, "a decision is left out", 0, run_id, sequence))
    return len(entries.approvals)
