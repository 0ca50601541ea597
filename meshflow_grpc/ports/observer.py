"""Where finished steps and runs are observed: metrics and traces. Observers never block and never raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.domain.usage import Usage


class StepObserver(Protocol):
    """Told about every recorded step."""

    def step_recorded(self, node_id: str, verdict: str, usage: Usage, latency_ms: int, *, sla_met: bool | None) -> None:
        """A step's entry is durable; ``sla_met`` is None when the node has no SLA."""
        ...


class RunObserver(Protocol):
    """Told about every run."""

    def run_started(self, run: Run) -> None:
        """A run's first entry is durable."""
        ...

    def run_ended(self, run: Run) -> None:
        """A run's last entry is durable."""
        ...
