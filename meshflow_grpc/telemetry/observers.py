"""Several observers as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryKind
    from meshflow_grpc.domain.mesh import MeshChange
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ports.observer import Observer, StepRecord


class Observers:
    """Implements ports.observer.Observer: tells each in turn."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def step_recorded(self, step: StepRecord) -> None:
        """See StepObserver."""
        for observer in self._observers:
            observer.step_recorded(step)

    def run_started(self, run: Run) -> None:
        """See RunObserver."""
        for observer in self._observers:
            observer.run_started(run)

    def run_ended(self, run: Run) -> None:
        """See RunObserver."""
        for observer in self._observers:
            observer.run_ended(run)

    def appended(self, kinds: Sequence[EntryKind], seconds: float) -> None:
        """See LedgerObserver."""
        for observer in self._observers:
            observer.appended(kinds, seconds)

    def append_failed(self) -> None:
        """See LedgerObserver."""
        for observer in self._observers:
            observer.append_failed()

    def verified(self, *, intact: bool) -> None:
        """See LedgerObserver."""
        for observer in self._observers:
            observer.verified(intact=intact)

    def log_not_published(self, error: Exception) -> None:
        """See LedgerObserver."""
        for observer in self._observers:
            observer.log_not_published(error)

    def emergency_access(self, run_id: str, approval_id: str, principal_id: str) -> None:
        """See AccessObserver."""
        for observer in self._observers:
            observer.emergency_access(run_id, approval_id, principal_id)

    def mesh_changed(self, change: MeshChange) -> None:
        """See MeshObserver."""
        for observer in self._observers:
            observer.mesh_changed(change)

    def peer_called(self, slug: str, *, ok: bool, seconds: float, sent: int, received: int) -> None:
        """See MeshObserver."""
        for observer in self._observers:
            observer.peer_called(slug, ok=ok, seconds=seconds, sent=sent, received=received)
