"""Tells the log alone that a run waits for a human."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Run

_log = structlog.get_logger(__name__)


class LogNotifier:
    """Implements ports.notifier.ApprovalNotifier."""

    def run_paused(self, run: Run) -> None:
        """See ApprovalNotifier."""
        approval = run.pending_approval
        _log.info("run_paused", run_id=run.run_id, approval_id=None if approval is None else approval.approval_id)
