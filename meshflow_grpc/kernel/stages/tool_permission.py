"""Stage 11: which tools a step may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState


class ToolPermission(Check):
    """Denies every tool: this server offers agents none, so a step that names one has no permission for it."""

    name = "tool_permission"

    def apply(self, state: StepState) -> StepState | Deny:
        """Agents without tools pass."""
        node = state.step.node
        if node.kind is NodeKind.HUMAN:
            return state
        if node.kind is NodeKind.AGENT and not node.config.get("tools"):
            return state
        return Deny(
            "TOOL_NOT_PERMITTED", f"node {node.id!r} uses tools, which this server does not offer", "remove the tools"
        )
