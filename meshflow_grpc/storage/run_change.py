"""What a batch changes in the row of a run, and how the records say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.errors import MeshflowError, RequestIdReusedError
from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.ledger.canonical import MAX_INTEGER, NotCanonicalError
from meshflow_grpc.ledger.projection import COMMITTED, usage_change
from meshflow_grpc.ports.storage import CreatedRun, RunChange
from meshflow_grpc.storage.batch import UNCHANGED, Head, RunUpdate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.ledger.chain import Committer
    from meshflow_grpc.storage.batch import EarlierRequest

# What a named tuple's own constructor does, in less time.
_new = tuple.__new__


def answer_again(earlier: EarlierRequest, fingerprint: str) -> CreatedRun:
    """Returns the run that a request made before; raises RequestIdReusedError when it was another request."""
    if isinstance(earlier, MeshflowError):
        raise earlier
    recorded, run = earlier
    if fingerprint != recorded:
        raise RequestIdReusedError(run.request_id or "", run.run_id)
    return CreatedRun(run, None, created=False)


def change_at(index: int, last: int, change: RunChange | None) -> RunChange | None:
    """Returns what the record of one of an append's entries says of the run's row."""
    if change is None or index == last:
        return change
    return RunChange(change.step_usage) if index == 0 and change.step_usage is not None else None


def advanced(head: Head, sequence: int, hash_: str, change: RunChange | None) -> Head:
    """Returns a head moved by entries and what they change."""
    tenant_id, _, _, status, usage, *constant = head
    if change is not None:
        if change.usage is not None:
            usage += change.usage
        if change.step_usage is not None:
            usage += change.step_usage
        if max(usage) > MAX_INTEGER:
            raise NotCanonicalError.at("usage", "a total is greater than 2^53 - 1")
        status = change.status or status
    return _new(Head, (tenant_id, sequence, hash_, status, usage, *constant))


def update(run_id: str, time: str, head: Head, change: RunChange | None, salts: Mapping[str, str]) -> RunUpdate:
    """Returns the new values of a run's row; None where they stay as they are."""
    told: tuple[str | None, ...] = UNCHANGED
    if change is not None:
        _, status, output, blocked_by, reason, _ = change
        status_text = None if status is None else status._value_
        told = (status_text, output, salts.get("output"), blocked_by, reason, salts.get("reason"))
    return _new(RunUpdate, (run_id, time, head.sequence, head.hash, *head.usage, *told))


def record_change(change: RunChange, committer: Committer) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the change as the record holds it, and the salts of its commitments by column."""
    told: dict[str, Any] = {}
    salts: dict[str, str] = {}
    usage, status, output, blocked_by, reason, _ = change
    if usage is not None and usage != ZERO_USAGE:
        told["usage"] = usage_change(usage)
    if status is not None:
        told["status"] = status._value_
    if blocked_by is not None:
        told["blocked_by"] = blocked_by
    if output is not None:
        told["output"], salts["output"] = committer.commit(COMMITTED["output"], output)
    if reason is not None:
        told["reason"], salts["reason"] = committer.commit(COMMITTED["reason"], reason)
    return told, salts
