"""What every append must keep to, whatever store it goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, RunNotFoundError
from meshflow_grpc.domain.ledger_entry import EntryKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft
    from meshflow_grpc.ports.storage import RunChange

_WITH_A_STEP = 2


def check_drafts(drafts: Sequence[EntryDraft], run_id: str, tenant_id: str) -> None:
    """Raises InvalidRequestError unless drafts are of the run, RunNotFoundError unless they are of its tenant."""
    if not drafts:
        raise InvalidRequestError.of(FieldViolation("drafts", "an append needs at least one entry"))
    for draft in drafts:
        if draft.run_id != run_id:
            raise InvalidRequestError.of(FieldViolation("drafts.run_id", f"must be {run_id!r}, the run appended to"))
        if draft.tenant_id != tenant_id:
            raise RunNotFoundError(run_id)


def check_end(drafts: Sequence[EntryDraft], change: RunChange) -> None:
    """Raises InvalidRequestError for a change that ends a run without a run_finished entry, or that has no entry to stand in."""
    if change.step_usage is not None and len(drafts) < _WITH_A_STEP:
        problem = FieldViolation(
            "change.step_usage", "stands in the entry of a step, before the last one; there is none"
        )
        raise InvalidRequestError.of(problem)
    if change.status is not None and change.status.ended and drafts[-1].kind is not EntryKind.RUN_FINISHED:
        raise InvalidRequestError.of(
            FieldViolation("change.status", f"a run that is {change.status.value} must end with a run_finished entry")
        )
