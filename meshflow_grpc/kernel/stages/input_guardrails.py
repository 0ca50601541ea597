"""Stage 7: the guardian on what goes into a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState

ATTACKS = ("injection", "jailbreak", "exfiltration", "prompt_leak")


class InputGuardrails(Check):
    """Denies inputs that try to take over the agent. One scan serves this stage and the sensitive-data scan after it."""

    name = "input_guardrails"

    def apply(self, state: StepState) -> StepState | Deny:
        """Scans the input; with the guardian off the findings are kept for stage 8 only."""
        scan = self._ports.scanner.scan_input(state.prompt)
        if scan.findings and state.step.run.policy.enable_guardian:
            attacks = scan.of(*ATTACKS)
            if attacks:
                kinds = ", ".join(sorted({f"{a.category}/{a.kind}" for a in attacks}))
                return Deny(
                    "INPUT_REJECTED",
                    f"the guardian found {kinds} in the step's input",
                    "remove the instruction from the input",
                )
        state.scan = scan
        return state
