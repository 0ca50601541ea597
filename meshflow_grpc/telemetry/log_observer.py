"""Observes runs and steps as log lines; payloads never appear in them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.domain.mesh import MeshChangeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryKind
    from meshflow_grpc.domain.mesh import MeshChange
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ledger.note_key import VerifierKey
    from meshflow_grpc.ports.log import StoredHead
    from meshflow_grpc.ports.observer import StepRecord

_log = structlog.get_logger(__name__)
_MESH_ALERTS = frozenset(
    {
        MeshChangeKind.NODE_EXPIRED,
        MeshChangeKind.NODE_UNHEALTHY,
        MeshChangeKind.BREAKER_OPENED,
        MeshChangeKind.NODE_REFUSED,
    }
)


class LogObserver:
    """Implements ports.observer.Observer."""

    def __init__(self) -> None:
        self._every_step: bool | None = None

    def step_recorded(self, step: StepRecord) -> None:
        """See StepObserver; steps are logged at debug level, missed SLAs and refusals at info."""
        if step.sla_met is not False and step.verdict == "committed":
            # Asked once: the level of a process stays what it was at its first line.
            if self._every_step is None:
                self._every_step = _log.is_enabled_for(logging.DEBUG)
            if not self._every_step:
                return
            log = _log.debug
        else:
            log = _log.info
        log(
            "step_recorded",
            node_id=step.node_id,
            verdict=step.verdict,
            blocked_by=step.blocked_by,
            reason=step.reason,
            tokens=step.usage.tokens,
            latency_ms=step.latency_ms,
            sla_met=step.sla_met,
        )

    def run_started(self, run: Run) -> None:
        """See RunObserver."""
        _log.debug("run_started", run_id=run.run_id, workflow=run.workflow, policy_digest=run.policy_digest)

    def run_ended(self, run: Run) -> None:
        """See RunObserver."""
        _log.info(
            "run_ended",
            run_id=run.run_id,
            workflow=run.workflow,
            status=run.status.value,
            blocked_by=run.blocked_by,
            entries=run.entries,
        )

    def appended(self, kinds: Sequence[EntryKind], seconds: float) -> None:
        """See LedgerObserver; the entries themselves are the record."""

    def append_failed(self) -> None:
        """See LedgerObserver."""
        _log.error("ledger_append_failed")

    def verified(self, *, intact: bool) -> None:
        """See LedgerObserver."""
        if not intact:
            _log.error("ledger_verification_failed")

    def log_not_published(self, error: Exception) -> None:
        """The log's head could not be published; it is tried again, unless the ledger turned out to be inconsistent."""
        _log.error("log_not_published", error=str(error))

    def emergency_access(self, run_id: str, approval_id: str, principal_id: str) -> None:
        """See AccessObserver."""
        _log.warning("emergency_access", approval_id=approval_id, run_id=run_id, principal=principal_id)

    def mesh_changed(self, change: MeshChange) -> None:
        """See MeshObserver; what somebody should look at is logged as a warning."""
        log = _log.warning if change.kind in _MESH_ALERTS else _log.info
        log(f"mesh_{change.kind.value}", slug=change.slug, node=change.node_id, detail=change.detail)

    def peer_called(self, slug: str, *, ok: bool, seconds: float, sent: int, received: int) -> None:
        """See MeshObserver."""
        _log.debug("peer_called", slug=slug, ok=ok, seconds=round(seconds, 6), sent=sent, received=received)

    def log_opened(self, head: StoredHead, keys: Sequence[VerifierKey]) -> None:
        """The log's public keys, to be given to those who verify it."""
        _log.info("log_opened", entries=head.size, keys=[key.vkey for key in keys])
