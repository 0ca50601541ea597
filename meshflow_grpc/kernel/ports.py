"""What the stages need from outside, gathered once at start-up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from meshflow_grpc.domain.usage import MAX_SEQ
from meshflow_grpc.governance.carbon import CarbonModel
from meshflow_grpc.governance.circuit_breaker import Breakers
from meshflow_grpc.governance.compliance import Safeguards
from meshflow_grpc.governance.recipients import DeclaredRecipients
from meshflow_grpc.ports.tracer import NoTracer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.domain.usage import SessionUse
    from meshflow_grpc.governance.detection.finding import ScanResult
    from meshflow_grpc.governance.rate_limit import RateLimiter
    from meshflow_grpc.kernel.output_windows import Windows
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.mesh import MeshAccess
    from meshflow_grpc.ports.observer import StepObserver
    from meshflow_grpc.ports.provider import ModelProvider
    from meshflow_grpc.ports.storage import RunChange
    from meshflow_grpc.ports.tracer import Tracer


class Scanner(Protocol):
    """Finds sensitive data and attacks in text."""

    def scan_input(self, text: str) -> ScanResult:
        """Scans what goes into a step."""
        ...

    def scan_output(self, text: str) -> ScanResult:
        """Scans what comes out of a step."""
        ...


class Recorder(Protocol):
    """Makes entries durable."""

    async def append(
        self, run_id: str, drafts: Sequence[EntryDraft], change: RunChange | None = None
    ) -> tuple[LedgerEntry, ...]:
        """Appends entries to a run; see ports.storage.Storage.

        MUST NOT be interrupted by cancellation: it raises CancelledError when the entries are durable, not before.
        """
        ...


class SessionLedger(Protocol):
    """Knows what sessions have spent and reserved."""

    async def session_use(self, tenant_id: str, session_id: str, *, up_to_seq: int = MAX_SEQ) -> SessionUse:
        """What is durable of a session; see ports.storage.Storage."""
        ...


@dataclass(frozen=True, slots=True)
class KernelPorts:
    """Collaborators of the stages."""

    recorder: Recorder
    sessions: SessionLedger
    provider: ModelProvider
    scanner: Scanner
    limiter: RateLimiter
    clock: Clock
    observer: StepObserver
    jitter: Jitter
    tracer: Tracer = field(default_factory=NoTracer)
    breakers: Breakers = field(default_factory=Breakers)
    carbon: CarbonModel = field(default_factory=CarbonModel)
    revoked_agents: frozenset[str] = frozenset()
    safeguards: Safeguards = field(default_factory=Safeguards)
    recipients: DeclaredRecipients = field(default_factory=DeclaredRecipients)
    windows: Windows | None = None
    mesh: MeshAccess | None = None


class Jitter(Protocol):
    """Randomness for back-off."""

    def __call__(self) -> float:
        """A number in [0, 1)."""
        ...
