"""Stage 1: who calls, and is the agent the one this run was started with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState


class IdentityVerification(Check):
    """Denies a step without a principal, of an agent the run does not know, or of a revoked agent."""

    name = "identity_verification"

    def apply(self, state: StepState) -> StepState | Deny:
        """The agent's identity is its node id and the digest of its definition, pinned when the run started."""
        run, node = state.step.run, state.step.node
        if not run.principal.id:
            return Deny("PRINCIPAL_UNKNOWN", "the run has no principal", "authenticate the caller")
        digest = run.agents.get(node.id)
        if digest is None:
            return Deny("AGENT_UNKNOWN", f"agent {node.id!r} is not part of the run's workflow", "start a new run")
        revoked = self._ports.revoked_agents
        if revoked and (node.id in revoked or digest in revoked):
            return Deny("AGENT_REVOKED", f"agent {node.id!r} is revoked", "use another agent or lift the revocation")
        return state
