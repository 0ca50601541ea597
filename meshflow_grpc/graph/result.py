"""How a run that Python started ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import usd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import PendingApproval, Run


@dataclass(frozen=True, slots=True)
class WorkflowResult:
    """A run as it ended, or as it waits for a human (``pending_approval``)."""

    run_id: str
    status: str
    output: str
    total_cost_usd: float
    total_tokens: int
    ledger_entries: int
    blocked_by: str | None = None
    reason: str | None = None
    pending_approval: PendingApproval | None = None
    state: Mapping[str, JsonValue] | None = None

    @classmethod
    def of(cls, run: Run, state: Mapping[str, JsonValue] | None = None) -> WorkflowResult:
        """The result of a run; ``state`` is that of a StateGraph."""
        return cls(
            run_id=run.run_id,
            status=run.status.value,
            output=run.output,
            total_cost_usd=usd(run.usage.cost_nano_usd),
            total_tokens=run.usage.tokens,
            ledger_entries=run.entries,
            blocked_by=run.blocked_by,
            reason=run.reason,
            pending_approval=run.pending_approval,
            state=state,
        )
