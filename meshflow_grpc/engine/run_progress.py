"""What happened in a run so far; rebuilt from the ledger on resume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.engine.call_history import CallHistory

if TYPE_CHECKING:
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.workflow.frontier import NodeRun, Progress


@dataclass(slots=True)
class RunProgress:
    """Outputs and labels by node run; ``usage`` is that of the lives of the run before this one."""

    graph: Progress
    outputs: dict[NodeRun, str] = field(default_factory=dict)
    labels: dict[NodeRun, frozenset[str]] = field(default_factory=dict)
    usage: Usage = ZERO_USAGE
    steps: int = 0
    epoch: int = 1
    last_output: str = ""
    history: CallHistory = field(default_factory=CallHistory)

    def latest(self, node_id: str) -> NodeRun | None:
        """The last committed run of a node."""
        return next((run for run in reversed(self.outputs) if run.node_id == node_id), None)
