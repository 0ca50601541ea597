"""What a batch changes in the row of a run, and how the records say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.errors import MeshflowError, RequestIdReusedError
from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.ledger.canonical import MAX_INTEGER, NotCanonicalError
from meshflow_grpc.ledger.projection import COMMITTED, usage_change
from meshflow_grpc.ports.storage import CreatedRun, RunChange
from meshflow_grpc.storage.batch import Head, RunUpdate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.ledger.chain import Committer
    from meshflow_grpc.storage.batch import EarlierRequest


_NOTHING = RunChange()


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
    if change is None:
        return Head(head.tenant_id, sequence, hash_, head.status, head.usage, head.key, head.sealed, head.immutable)
    usage = head.usage if change.usage is None else head.usage + change.usage
    if change.step_usage is not None:
        usage += change.step_usage
    if max(usage.input_tokens, usage.output_tokens, usage.cost_nano_usd, usage.carbon_ug, usage.steps) > MAX_INTEGER:
        raise NotCanonicalError.at("usage", "a total is greater than 2^53 - 1")
    status = change.status or head.status
    return Head(head.tenant_id, sequence, hash_, status, usage, head.key, head.sealed, head.immutable)


def update(run_id: str, time: str, head: Head, change: RunChange | None, salts: Mapping[str, str]) -> RunUpdate:
    """Returns the new values of a run's row; None where they stay as they are."""
    usage, told = head.usage, change or _NOTHING
    return RunUpdate(
        run_id,
        time,
        head.sequence,
        head.hash,
        usage.input_tokens,
        usage.output_tokens,
        usage.cost_nano_usd,
        usage.carbon_ug,
        usage.steps,
        None if told.status is None else told.status.value,
        told.output,
        salts.get("output"),
        told.blocked_by,
        told.reason,
        salts.get("reason"),
    )


def record_change(change: RunChange, committer: Committer) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the change as the record holds it, and the salts of its commitments by column."""
    told: dict[str, Any] = {}
    salts: dict[str, str] = {}
    if change.usage is not None and change.usage != ZERO_USAGE:
        told["usage"] = usage_change(change.usage)
    if change.status is not None:
        told["status"] = change.status.value
    if change.blocked_by is not None:
        told["blocked_by"] = change.blocked_by
    if change.output is not None:
        told["output"], salts["output"] = committer.commit(COMMITTED["output"], change.output)
    if change.reason is not None:
        told["reason"], salts["reason"] = committer.commit(COMMITTED["reason"], change.reason)
    return told, salts
