"""Stage 9: the risk tier of this action."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from meshflow_grpc.governance.risk import risk_of
from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState


class RiskClassification(Check):
    """Classifies the action; denies when a human would have to approve it and this server has no gates."""

    name = "risk_classification"

    def apply(self, state: StepState) -> StepState | Deny:
        """The tier is the highest of declared and derived; it is never lowered."""
        tier = risk_of(state.step.node, state.step.action)
        human = state.step.run.policy.human_in_loop
        if human.enabled and tier >= human.tier_threshold:
            return Deny(
                "APPROVAL_UNAVAILABLE", f"a {tier.label} step needs a human's approval", "resume on a server with gates"
            )
        return state if tier is state.risk else dataclasses.replace(state, risk=tier)
