"""Stage 9: how much harm could this action do; must a human see it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.governance.risk import risk_of
from meshflow_grpc.kernel.approval import approved_or
from meshflow_grpc.kernel.decision import Deny, Pause
from meshflow_grpc.kernel.stage import Check, Noted

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState

_HUMAN: Final = NodeKind.HUMAN


class RiskClassification(Check):
    """Classifies the action; pauses when a human must approve it, and denies an approval that is of another action."""

    name = "risk_classification"

    def apply(self, state: StepState) -> StepState | Noted | Deny | Pause:
        """The tier is the highest of declared and derived; it is never lowered."""
        tier = risk_of(state.step.node, state.step.action)
        held = self._held(state, tier)
        if held is state or isinstance(held, Noted):
            state.risk = tier
        return held

    def _held(self, state: StepState, tier: RiskTier) -> StepState | Noted | Deny | Pause:
        """What a human's decision, or the want of one, means for a step of this tier."""
        node, action = state.step.node, state.step.action
        human = state.step.run.policy.human_in_loop
        if node.kind is _HUMAN:
            question = node.config.get("prompt")
            message = question if isinstance(question, str) and question else f"node {node.id!r} asks for a decision"
            return approved_or(state, Pause("APPROVAL_REQUIRED", message))
        if human.enabled and tier >= human.tier_threshold:
            if action is not None and action.parent is not None:
                return Deny(
                    "APPROVAL_UNAVAILABLE",
                    f"{_a(tier)} call of {action.name!r} needs a human's approval, and an agent's loop cannot wait",
                    "call the tool in a node of its own",
                )
            return approved_or(
                state, Pause("APPROVAL_REQUIRED", f"{_a(tier)} step of {node.id!r} needs a human's approval")
            )
        return state


def _a(tier: RiskTier) -> str:
    return f"{'a' if tier is RiskTier.READ_ONLY else 'an'} {tier.label}"
