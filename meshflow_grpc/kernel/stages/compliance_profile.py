"""Stage 6: controls of the compliance profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState


class ComplianceProfile(Check):
    """Denies a step under a profile whose controls this server does not enforce."""

    name = "compliance_profile"

    def apply(self, state: StepState) -> StepState | Deny:
        """Lets a step pass only when no profile asks for controls."""
        profiles = state.step.run.policy.compliance
        if not profiles:
            return state
        return Deny(
            "COMPLIANCE_NOT_ENFORCEABLE",
            f"profiles {', '.join(profiles)} are not enforced by this server",
            "resume the run on a server that enforces them",
        )
