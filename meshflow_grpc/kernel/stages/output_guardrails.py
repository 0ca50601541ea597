"""Stage 13: the guardian on what comes out of a step."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from meshflow_grpc.governance.detection.finding import OUTPUT_LEAKS
from meshflow_grpc.governance.detection.redaction import redact
from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.stage import Check, Noted
from meshflow_grpc.kernel.stages.input_guardrails import ATTACKS
from meshflow_grpc.kernel.stages.sensitive_data_scan import SENSITIVE, denied_data

if TYPE_CHECKING:
    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.governance.detection.finding import ScanResult
    from meshflow_grpc.kernel.state import Execution, StepState

CONFIDENCE_FLOOR = 0.5


class OutputGuardrails(Check):
    """Denies outputs that leak, are too long, do not fit the schema or the agent doubts; labels or masks sensitive data in them."""

    name = "output_guardrails"

    def apply(self, state: StepState) -> StepState | Noted | Deny:
        """Scans the output of execution; what passes becomes the step's output if it fits the node's schema."""
        labels, check = state.labels, state.step.output_check
        guarded = self._guarded(state)
        if check is None or isinstance(guarded, Deny):
            return guarded
        problem = check(state.output or "")
        if problem is None:
            return guarded
        state.labels, state.output = labels, None
        return Deny(
            "OUTPUT_SCHEMA_MISMATCH",
            f"the output does not fit output_schema: {problem}",
            "change the agent or the schema",
        )

    def _guarded(self, state: StepState) -> StepState | Noted | Deny:
        execution, policy = state.execution, state.step.run.policy
        if execution is None:
            return Deny("OUTPUT_MISSING", "the step has no output to guard", "report this as a defect")
        text = execution.output
        if refusal := _too_long(text, policy) or _doubted(execution, policy):
            return refusal
        if state.step.action is not None and policy.enable_guardian and (refusal := self._attack_in(text)):
            return refusal
        scan = self._ports.scanner.scan_output(text)
        if not scan.findings:
            state.output = text
            return state
        leaks = scan.of(*OUTPUT_LEAKS) if policy.enable_guardian else ()
        if leaks:
            kinds = ", ".join(sorted({f"{f.category}/{f.kind}" for f in leaks}))
            return Deny(
                "OUTPUT_REJECTED", f"the guardian found {kinds} in the step's output", "change the task or the agent"
            )
        return _without_sensitive_data(state, text, scan)

    def _attack_in(self, text: str) -> Deny | None:
        """What a tool or function gave is input for whoever reads it next."""
        attacks = self._ports.scanner.scan_input(text).of(*ATTACKS)
        if not attacks:
            return None
        kinds = ", ".join(sorted({f"{a.category}/{a.kind}" for a in attacks}))
        return Deny("OUTPUT_REJECTED", f"the guardian found {kinds} in the result", "use another source")


def _too_long(text: str, policy: Policy) -> Deny | None:
    if not policy.max_output_chars or len(text) <= policy.max_output_chars:
        return None
    return Deny(
        "OUTPUT_TOO_LONG",
        f"the output has {len(text)} characters, more than max_output_chars={policy.max_output_chars}",
        "raise policy.max_output_chars or ask for less",
    )


def _doubted(execution: Execution, policy: Policy) -> Deny | None:
    confidence = execution.confidence
    if not policy.enable_uncertainty or confidence is None or confidence >= CONFIDENCE_FLOOR:
        return None
    return Deny(
        "CONFIDENCE_TOO_LOW",
        f"the agent stated a confidence of {confidence:g}, less than {CONFIDENCE_FLOOR:g}",
        "give the agent what it lacks, use another model, or set policy.enable_uncertainty to false",
    )


def _without_sensitive_data(state: StepState, text: str, scan: ScanResult) -> StepState | Noted | Deny:
    policy = state.step.run.policy
    found = scan.of(*SENSITIVE)
    if not found:
        state.output = text
        return state
    classes = {f.category for f in found}
    if refusal := denied_data(classes, policy, "output"):
        return refusal
    labels = state.labels | classes
    counts = dict(sorted(Counter(f.kind for f in found).items()))
    listed = ", ".join(f"{kind} x{n}" for kind, n in counts.items())
    if not policy.scrub_pii:
        state.output, state.labels = text, labels
        return Noted("label", listed)
    state.output, state.labels = redact(text, found), labels
    return Noted("redact", listed)
