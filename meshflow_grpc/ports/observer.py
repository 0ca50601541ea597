"""Where finished steps, runs and ledger writes are observed: logs and metrics. Observers never block and never raise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryKind
    from meshflow_grpc.domain.mesh import MeshChange
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.domain.usage import Usage


@dataclass(slots=True)
class StepRecord:
    """A recorded step. ``sla_met`` is None when the node has no SLA; ``blocked_by`` names the stage that refused."""

    node_id: str
    verdict: str
    usage: Usage
    latency_ms: int
    sla_met: bool | None
    blocked_by: str | None = None
    reason: str | None = None


class StepObserver(Protocol):
    """Told about every recorded step."""

    def step_recorded(self, step: StepRecord) -> None:
        """A step's entry is durable."""
        ...


class RunObserver(Protocol):
    """Told about every run."""

    def run_started(self, run: Run) -> None:
        """A run's first entry is durable."""
        ...

    def run_ended(self, run: Run) -> None:
        """A run's last entry is durable."""
        ...


class LedgerObserver(Protocol):
    """Told about every write to the ledger and every verification of it."""

    def appended(self, kinds: Sequence[EntryKind], seconds: float) -> None:
        """Entries of these kinds are durable, after so many seconds."""
        ...

    def append_failed(self) -> None:
        """Entries could not be made durable."""
        ...

    def verified(self, *, intact: bool) -> None:
        """A run's chain was verified."""
        ...

    def log_not_published(self, error: Exception) -> None:
        """The log's head could not be published; it is tried again, unless the ledger turned out to be inconsistent."""
        ...


class MeshObserver(Protocol):
    """Told about the mesh."""

    def mesh_changed(self, change: MeshChange) -> None:
        """Something happened to a node."""
        ...

    def peer_called(self, slug: str, *, ok: bool, seconds: float, sent: int, received: int) -> None:
        """A peer was called: whether it did its part, how long it took, and bytes there and back."""
        ...


class AccessObserver(Protocol):
    """Told about access that somebody should look at."""

    def emergency_access(self, run_id: str, approval_id: str, principal_id: str) -> None:
        """An approval that its reviewer might not have given is durable, and a second person is to review it."""
        ...


class Observer(StepObserver, RunObserver, LedgerObserver, AccessObserver, MeshObserver, Protocol):
    """Told about everything."""
