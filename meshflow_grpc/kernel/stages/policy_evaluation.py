"""Stage 5: the step is held to the policy the run was started with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.governance.enforcement import ENFORCED_MODES
from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState


class PolicyEvaluation(Check):
    """Denies under a policy this server cannot hold a step to: an unenforced mode, or rules it does not evaluate."""

    name = "policy_evaluation"

    def apply(self, state: StepState) -> StepState | Deny:
        """A resumed run may carry a policy made by a server that enforces more; it is refused, not weakened."""
        policy = state.step.run.policy
        if policy.mode in ENFORCED_MODES and not policy.rules:
            return state
        return Deny(
            "POLICY_NOT_ENFORCEABLE",
            "the run's policy holds fields this server does not enforce",
            "resume the run on a server that enforces them",
        )
