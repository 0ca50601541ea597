"""Stage 3: steps per tenant and agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState


class RateLimiting(Check):
    """Denies a step when its tenant's agent takes steps faster than the server allows."""

    name = "rate_limiting"

    def apply(self, state: StepState) -> StepState | Deny:
        """Takes one cell of the (tenant, agent) limit."""
        run = state.step.run
        wait = self._ports.limiter.admit(f"{run.tenant_id}/{state.step.node.id}", self._ports.clock.monotonic())
        if wait <= 0:
            return state
        return Deny(
            "RATE_LIMITED",
            f"agent {state.step.node.id!r} takes steps faster than the server allows for the tenant",
            f"retry in {wait:.1f} s or raise MESHFLOW_STEP_RATE_PER_S",
        )
