"""Where reviewers are told that a run waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Run


class ApprovalNotifier(Protocol):
    """Told about every paused run, once the pause is durable. Returns at once and never raises."""

    def run_paused(self, run: Run) -> None:
        """``run.pending_approval`` is the first decision the run waits for."""
        ...
