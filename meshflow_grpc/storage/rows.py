"""Between rows of a store and the domain's objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.ledger_entry import EntryKind, LedgerEntry
from meshflow_grpc.domain.run import Run, RunStatus
from meshflow_grpc.domain.stored_row import EntryRow, RunRow
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.ledger.canonical import NotCanonicalError

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a named tuple's own constructor does, in less time.
_new = tuple.__new__


def entry_row(entry: LedgerEntry) -> EntryRow:
    """Returns the row of an entry."""
    seq, run_id, tenant_id, sequence, kind, time, node_id, step_id, attempt, _, *rest = entry
    return _new(EntryRow, (seq, run_id, tenant_id, sequence, kind._value_, node_id, step_id, attempt, time, *rest))


def entry_of(row: EntryRow) -> LedgerEntry:
    """Returns the entry of a row; raises LedgerUnavailableError when the row is damaged."""
    columns: Any = row
    try:
        return LedgerEntry(
            columns.seq,
            columns.run_id,
            columns.tenant_id,
            columns.sequence,
            EntryKind(columns.kind),
            columns.time,
            columns.node_id,
            columns.step_id,
            columns.attempt,
            orjson.loads(columns.record)["facts"],
            columns.input,
            columns.output,
            columns.input_salt,
            columns.output_salt,
            columns.prev_hash,
            columns.hash,
            bytes(columns.record),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(f"entry {row.sequence!r} of run {row.run_id!r}", str(row.run_id)) from error


def is_fork_of(record: bytes, run_id: str) -> bool:
    """Whether a run's first record says that it left a run, directly or by a fork of it."""
    try:
        return run_id in orjson.loads(record)["facts"]["forked_from"]["ancestors"]
    except (ValueError, TypeError, KeyError):
        return False


def json_text(field: str, value: Mapping[str, object]) -> str:
    """Returns a mapping as JSON text with sorted keys; raises NotCanonicalError naming the field."""
    try:
        return orjson.dumps(value, dict, orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError as error:
        raise NotCanonicalError.at(field, str(error)) from error


def run_row(run: Run, request_fingerprint: str) -> RunRow:
    """Returns the row of a new run, without salts."""
    usage = run.usage
    return RunRow(
        run_id=run.run_id,
        tenant_id=run.tenant_id,
        workflow=run.workflow,
        status=run.status.value,
        policy_digest=run.policy_digest,
        policy=json_text("policy", run.policy),
        create_time=run.create_time,
        update_time=run.update_time,
        principal_id=run.principal_id,
        output=run.output,
        output_salt=None,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_nano_usd=usage.cost_nano_usd,
        carbon_ug=usage.carbon_ug,
        steps=usage.steps,
        entries=run.entries,
        head_hash=run.head_hash,
        blocked_by=run.blocked_by,
        reason=run.reason,
        reason_salt=None,
        session_id=run.session_id,
        request_id=run.request_id,
        request_fingerprint=request_fingerprint,
        labels=json_text("labels", run.labels),
        header_salt=None,
    )


def run_of(stored: RunRow) -> Run:
    """Returns the run of a row; raises LedgerUnavailableError when the row is damaged."""
    row: Any = stored
    try:
        return Run(
            run_id=row.run_id,
            tenant_id=row.tenant_id,
            workflow=row.workflow,
            status=RunStatus(row.status),
            policy_digest=row.policy_digest,
            policy=orjson.loads(row.policy),
            create_time=row.create_time,
            update_time=row.update_time,
            principal_id=row.principal_id,
            output=row.output,
            usage=usage_of(stored),
            entries=row.entries,
            head_hash=row.head_hash,
            blocked_by=row.blocked_by,
            reason=row.reason,
            session_id=row.session_id,
            request_id=row.request_id,
            labels=orjson.loads(row.labels),
        )
    except (ValueError, TypeError) as error:
        raise _damaged(f"the row of run {row.run_id!r}", str(row.run_id)) from error


def usage_of(stored: RunRow) -> Usage:
    """Returns the totals of a run's row."""
    row: Any = stored
    return Usage(row.input_tokens, row.output_tokens, row.cost_nano_usd, row.carbon_ug, row.steps)


def _damaged(what: str, run_id: str) -> LedgerUnavailableError:
    return LedgerUnavailableError(
        f"{what} is damaged and cannot be read; verify the run's chain to see what was changed",
        metadata={"run_id": run_id},
    )
