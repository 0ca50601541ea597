"""Stage 8: personal data, health data and secrets in what goes into a step."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from meshflow_grpc.governance.detection.redaction import redact
from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check, Noted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.kernel.state import StepState

SENSITIVE = ("pii", "phi", "secret")


class SensitiveDataScan(Check):
    """Labels the step by what its input holds; with scrub_pii the agent sees typed placeholders instead."""

    name = "sensitive_data_scan"

    def apply(self, state: StepState) -> StepState | Noted | Deny:
        """Uses the scan of stage 7; a state without one is denied, so that no path skips the scan."""
        scan = state.scan
        if scan is None:
            return Deny("SCAN_MISSING", "the input was not scanned", "report this as a defect")
        found = scan.of(*SENSITIVE) if scan.findings else ()
        policy = state.step.run.policy
        if policy.denied_data:
            refusal = denied_data({f.category for f in found} | state.labels, policy, "input")
            if refusal is not None:
                return refusal
        if not found:
            return state
        counts = dict(sorted(Counter(f.kind for f in found).items()))
        labels = state.labels | {f.category for f in found}
        listed = ", ".join(f"{kind} x{n}" for kind, n in counts.items())
        if not policy.scrub_pii:
            state.labels = labels
            return Noted("label", listed)
        state.prompt, state.labels, state.masked = redact(state.prompt, found), labels, counts
        return Noted("redact", listed)


def denied_data(classes: Iterable[str], policy: Policy, where: str) -> Deny | None:
    """The refusal of data that the policy lets neither into a step nor out of it; masking does not help, because it may miss some."""
    present = sorted(set(policy.denied_data).intersection(classes)) if policy.denied_data else ()
    if not present:
        return None
    listed = ", ".join(present)
    message = f"the {where} holds {listed} data, which policy.denied_data does not let through"
    return Deny("SENSITIVE_DATA_DENIED", message, f"remove it from the {where}, or {listed} from policy.denied_data")
