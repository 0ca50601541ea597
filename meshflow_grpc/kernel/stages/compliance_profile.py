"""Stage 6: controls of the compliance profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.governance.compliance import StepFacts, held, objections
from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check, Noted

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState


class ComplianceProfile(Check):
    """Denies a step that a control of the run's profiles objects to, and records the controls it found held."""

    name = "compliance_profile"

    def apply(self, state: StepState) -> StepState | Noted | Deny:
        """The controls that later stages hold are in their decisions."""
        run = state.step.run
        profiles = run.policy.compliance
        if not profiles:
            return state
        known = state.step.node.id in run.agents
        facts = StepFacts(
            run.policy, run.principal, run.labels, known, self._ports.safeguards, run.reviewed, run.approved
        )
        found = objections(facts)
        if found:
            message = "; ".join(f"{each.control}: {each.message}" for each in found)
            return Deny(found[0].reason, message, "; ".join(dict.fromkeys(each.remedy for each in found)))
        state.controls = held(facts)
        return Noted("allow", f"profiles {', '.join(profiles)}")
