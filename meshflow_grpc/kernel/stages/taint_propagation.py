"""Stage 10: where data came from follows it, and bounds what it may reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.governance.taint import forbidden
from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState


class TaintPropagation(Check):
    """Denies an action that labelled data may not reach. The labels are those of all inputs and of the input's own content."""

    name = "taint_propagation"

    def apply(self, state: StepState) -> StepState | Deny:
        """Compares the labels with the tier of the action."""
        if not state.labels:
            return state
        # A peer is outside, whatever it does there.
        outside = state.step.node.kind is NodeKind.GRPC
        reached = max(state.risk, RiskTier.EXTERNAL_IO) if outside else state.risk
        label = forbidden(state.labels, reached, state.step.run.policy.compliance)
        if label is None:
            return state
        return Deny(
            "TAINT_FORBIDDEN",
            f"data labelled {label!r} may not reach {'a peer' if outside else f'a {state.risk.label} action'}",
            "keep such data out of the step's input, or leave the action to a human",
        )
