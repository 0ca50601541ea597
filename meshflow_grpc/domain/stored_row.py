"""Rows exactly as a ledger store holds them. Verification reads these: after tampering any column may hold anything."""

from __future__ import annotations

from typing import NamedTuple


class EntryRow(NamedTuple):
    """A row of ``ledger_entries``; the fields are its columns, in order."""

    seq: object
    run_id: object
    tenant_id: object
    sequence: object
    kind: object
    node_id: object
    step_id: object
    attempt: object
    time: object
    input: object
    output: object
    input_salt: object
    output_salt: object
    prev_hash: object
    hash: object
    record: object


class LogRow(NamedTuple):
    """What the log is verified by of a row of ``ledger_entries``: the leaf's place, its record, and whose entry it is."""

    seq: object
    run_id: object
    sequence: object
    kind: object
    record: object

    @classmethod
    def of(cls, row: EntryRow) -> LogRow:
        """Returns these columns of a whole row."""
        return cls(row.seq, row.run_id, row.sequence, row.kind, row.record)


class RunRow(NamedTuple):
    """A row of ``runs``; the fields are its columns, in order. ``policy`` and ``labels`` are JSON text."""

    run_id: object
    tenant_id: object
    workflow: object
    status: object
    policy_digest: object
    policy: object
    create_time: object
    update_time: object
    principal_id: object
    output: object
    output_salt: object
    input_tokens: object
    output_tokens: object
    cost_nano_usd: object
    carbon_ug: object
    steps: object
    entries: object
    head_hash: object
    blocked_by: object
    reason: object
    reason_salt: object
    session_id: object
    request_id: object
    request_fingerprint: object
    labels: object
    header_salt: object
