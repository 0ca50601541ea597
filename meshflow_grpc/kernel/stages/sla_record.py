"""Stage 15: how the step did against its service level. Never blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from meshflow_grpc.kernel.stages.audit_ledger import WORDS
from meshflow_grpc.ports.observer import StepRecord

if TYPE_CHECKING:
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.stages.audit_ledger import StepEnd


class SlaRecord:
    """Judges a step before its entry is written, and tells the observer after it is durable."""

    name: ClassVar[str] = "sla_record"

    def __init__(self, ports: KernelPorts) -> None:
        self._ports = ports

    def judge(self, node: Node, latency_ms: int) -> str:
        """``none`` without an SLA, else ``met`` or ``missed``."""
        if node.sla_ms is None:
            return "none"
        return "met" if latency_ms <= node.sla_ms else "missed"

    def observe(self, end: StepEnd) -> None:
        """Feeds metrics."""
        met = None if end.sla == "none" else end.sla == "met"
        node_id, verdict = end.state.step.node.id, WORDS[end.verdict]
        self._ports.observer.step_recorded(
            StepRecord(node_id, verdict, end.usage, end.latency_ms, met, end.blocked_by, end.reason)
        )
