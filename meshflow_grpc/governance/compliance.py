"""Controls of the compliance profiles: what each demands, which stage holds it, and what stage 6 decides before a step."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.governance.floors import unmet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.domain.run import Principal

PURPOSE = "purpose"
LEGAL_EFFECT = "legal_effect"
DPIA = "dpia"
NO_EFFECT = frozenset({"no", "none", "false"})
ANONYMOUS = "none"


@dataclass(frozen=True, slots=True)
class Safeguards:
    """What the server offers beside the kernel."""

    production: bool = False
    payloads_encrypted: bool = False
    transport_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What stage 6 knows of a step."""

    policy: Policy
    principal: Principal
    labels: Mapping[str, str]
    agent_known: bool
    safeguards: Safeguards
    reviewed: bool = False
    approved: bool = True

    @property
    def has_legal_effect(self) -> bool:
        """Whether the request declares that its outcome has legal or similar effect; an unclear word counts as yes."""
        return legal_effect(self.labels) not in {"", *NO_EFFECT}


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a control does not let a step pass: the control, a machine-readable reason, a sentence, and the remedy."""

    control: str
    reason: str
    message: str
    remedy: str
    field: str


@dataclass(frozen=True, slots=True)
class Control:
    """A demand of a profile. ``stage`` holds it; empty when it is outside of what a run's entries can show."""

    id: str
    source: str
    demand: str
    stage: str = ""
    absent: str = ""

    @property
    def profile(self) -> str:
        """The profile it belongs to."""
        return self.id.partition(".")[0]


CONTROLS: tuple[Control, ...] = (
    Control("hipaa.profile", "45 CFR 164.306", "the run is held to the profile and its floors", "compliance_profile"),
    Control(
        "hipaa.identity", "45 CFR 164.312(a)(2)(i), (d)", "a proven, unique identity acts", "identity_verification"
    ),
    Control("hipaa.guardian", "45 CFR 164.308(a)(5)(ii)(B)", "inputs and outputs are guarded", "input_guardrails"),
    Control("hipaa.minimum_necessary", "45 CFR 164.502(b), 164.514(d)", "health data is masked", "sensitive_data_scan"),
    Control("hipaa.oversight", "45 CFR 164.312(a)(1)", "a person approves external actions", "risk_classification"),
    Control("hipaa.audit", "45 CFR 164.312(b)", "every step is recorded with all its decisions", "audit_ledger"),
    Control("hipaa.integrity", "45 CFR 164.312(c)", "the record is intact", "audit_ledger"),
    Control("hipaa.encryption", "45 CFR 164.312(a)(2)(iv)", "payloads are encrypted at rest", "compliance_profile"),
    Control("hipaa.transmission", "45 CFR 164.312(e)", "transport is encrypted", "compliance_profile"),
    Control(
        "hipaa.emergency_access",
        "45 CFR 164.312(a)(2)(ii)",
        "emergency access is recorded and reviewed",
        "identity_verification",
    ),
    Control("hipaa.logoff", "45 CFR 164.312(a)(2)(iii)", "who acts has signed in recently", "identity_verification"),
    Control("hipaa.retention", "45 CFR 164.316(b)(2)", "documentation is kept for 6 years", "audit_ledger"),
    Control("sox.profile", "SOX 302/404", "the run is held to the profile and its floors", "compliance_profile"),
    Control("sox.identity", "SOX 404", "a proven identity asks", "identity_verification"),
    Control("sox.oversight", "SOX 404, AS 2201", "a person approves external actions", "risk_classification"),
    Control("sox.separation_of_duties", "SOX 404", "nobody approves what they asked for", "risk_classification"),
    Control("sox.change_control", "SOX 404", "every step ran under one policy and pinned agents", "policy_evaluation"),
    Control("sox.audit", "SOX 404", "every step is recorded with all its decisions", "audit_ledger"),
    Control("sox.integrity", "SOX 802", "the record is intact", "audit_ledger"),
    Control("sox.retention", "SOX 802, 17 CFR 210.2-06", "records are kept for 7 years", "audit_ledger"),
    Control("sox.approved_changes", "SOX 404", "two persons stand for what runs", "compliance_profile"),
    Control("gdpr.profile", "GDPR Art. 25", "the run is held to the profile and its floors", "compliance_profile"),
    Control("gdpr.purpose", "GDPR Art. 5(1)(b)", "the purpose of processing is named", "compliance_profile"),
    Control("gdpr.minimisation", "GDPR Art. 5(1)(c)", "personal data is masked", "sensitive_data_scan"),
    Control("gdpr.oversight", "GDPR Art. 22", "a person decides about irreversible actions", "risk_classification"),
    Control("gdpr.accountability", "GDPR Art. 5(2)", "every step is recorded with all its decisions", "audit_ledger"),
    Control("gdpr.integrity", "GDPR Art. 5(1)(f), 32", "the record is intact", "audit_ledger"),
    Control("gdpr.erasure", "GDPR Art. 17", "erasures are recorded", "audit_ledger"),
    Control("gdpr.storage_limit", "GDPR Art. 5(1)(e)", "payloads have an end of life, and it is kept", "audit_ledger"),
    Control("gdpr.legal_effect", "GDPR Art. 22", "a person decides what has legal effect", "compliance_profile"),
    Control("gdpr.transfers", "GDPR Art. 28, 44", "recipients are declared, in allowed regions", "tool_permission"),
    Control("gdpr.dpia", "GDPR Art. 35", "high risks are assessed beforehand", "compliance_profile"),
)

BY_ID = {control.id: control for control in CONTROLS}


def controls_of(profile: str) -> tuple[Control, ...]:
    """The controls of a profile, in the order of the report."""
    return tuple(control for control in CONTROLS if control.profile == profile)


def objections(facts: StepFacts) -> tuple[Objection, ...]:
    """Everything the profiles of the policy object to, before a step."""
    found = (_CHECKS[control](control, facts) for control in _decided(facts.policy.compliance))
    return tuple(objection for objection in found if objection is not None)


def held(facts: StepFacts) -> tuple[str, ...]:
    """Ids of the controls that stage 6 checked and found held; encryption only where it is on."""
    return _held(facts.policy.compliance, facts.safeguards, proven=_proven(facts), approved=facts.approved)


@lru_cache(maxsize=64)
def _held(profiles: tuple[str, ...], safeguards: Safeguards, *, proven: bool, approved: bool) -> tuple[str, ...]:
    there = {
        "encryption": safeguards.payloads_encrypted,
        "transmission": safeguards.transport_encrypted,
        "identity": proven,
        "approved_changes": approved,
    }
    absent = {name for name, is_there in there.items() if not is_there}
    return tuple(control for control in _decided(profiles) if control.partition(".")[2] not in absent)


@lru_cache(maxsize=64)
def _decided(profiles: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(control.id for profile in profiles for control in controls_of(profile) if control.id in _CHECKS)


def _proven(facts: StepFacts) -> bool:
    return facts.principal.method != ANONYMOUS and bool(facts.principal.id) and facts.agent_known


def _floors_hold(control: str, facts: StepFacts) -> Objection | None:
    profile = control.partition(".")[0]
    below = unmet(facts.policy, profile)
    if not below:
        return None
    listed = ", ".join(f"policy.{path}" for path in below)
    return Objection(
        control,
        "PROFILE_FLOOR_UNMET",
        f"profile {profile} demands more of {listed}",
        "start a new run: its policy is raised to the profile's floor",
        f"policy.{below[0]}",
    )


def _identity(control: str, facts: StepFacts) -> Objection | None:
    if not facts.safeguards.production or _proven(facts):
        return None
    return Objection(
        control,
        "IDENTITY_REQUIRED",
        f"profile {control.partition('.')[0]} lets no anonymous caller act in production",
        "authenticate the caller (MESHFLOW_AUTH)",
        "principal",
    )


def _encryption(control: str, facts: StepFacts) -> Objection | None:
    if not facts.safeguards.production or facts.safeguards.payloads_encrypted:
        return None
    return Objection(
        control,
        "ENCRYPTION_REQUIRED",
        "profile hipaa demands encrypted payloads in production, and this server stores them in the clear",
        "set MESHFLOW_PAYLOAD_KEY on the server, or use one that encrypts payloads",
        "policy.compliance",
    )


def _transmission(control: str, facts: StepFacts) -> None:
    """Refuses nothing: where TLS ends in front of the server, the proof is the operator's."""


def _purpose(control: str, facts: StepFacts) -> Objection | None:
    if facts.labels.get(PURPOSE, "").strip():
        return None
    return Objection(
        control,
        "PURPOSE_REQUIRED",
        "profile gdpr demands that the purpose of processing is named",
        "name it in labels.purpose of the request",
        "labels.purpose",
    )


def legal_effect(labels: Mapping[str, str]) -> str:
    """What the request declares of its outcome's legal effect; empty when nothing."""
    return labels.get(LEGAL_EFFECT, "").strip().lower()


def _decided_by_a_person(control: str, facts: StepFacts) -> Objection | None:
    if facts.reviewed or not facts.has_legal_effect:
        return None
    return Objection(
        control,
        "DECISION_UNREVIEWED",
        "the outcome has legal effect (labels.legal_effect), and the workflow can end without a person's decision",
        "put a node of kind human on every way to the end of the workflow",
        "workflow",
    )


def _assessed(control: str, facts: StepFacts) -> Objection | None:
    if facts.labels.get(DPIA, "").strip() or not facts.has_legal_effect:
        return None
    return Objection(
        control,
        "DPIA_REQUIRED",
        "the outcome has legal effect (labels.legal_effect), and no impact assessment is named",
        "name the assessment in labels.dpia of the request",
        "labels.dpia",
    )


def withholds_request(policy: Policy, safeguards: Safeguards) -> bool:
    """Whether the request must not be recorded: no step of it will be taken, and the record would hold health data in the clear."""
    return "hipaa" in policy.compliance and safeguards.production and not safeguards.payloads_encrypted


def _approved(control: str, facts: StepFacts) -> Objection | None:
    if facts.approved or not facts.safeguards.production:
        return None
    return Objection(
        control,
        "CHANGE_UNAPPROVED",
        "profile sox runs in production what a second person approved, and nobody approved this workflow under this policy",
        "register the workflow, leave its policy as it is in the request, and have another person call ApproveWorkflow",
        "workflow",
    )


def _human(control: str, facts: StepFacts) -> Objection | None:
    human = facts.policy.human_in_loop
    if human.enabled and human.tier_threshold <= RiskTier.IRREVERSIBLE:
        return None
    return Objection(
        control,
        "OVERSIGHT_REQUIRED",
        f"profile {control.partition('.')[0]} demands that a person approves risky actions",
        "set policy.human_in_loop.enabled to true, or leave it out",
        "policy.human_in_loop.enabled",
    )


_CHECKS: dict[str, Callable[[str, StepFacts], Objection | None]] = {
    "hipaa.profile": _floors_hold,
    "hipaa.identity": _identity,
    "hipaa.oversight": _human,
    "hipaa.encryption": _encryption,
    "hipaa.transmission": _transmission,
    "sox.profile": _floors_hold,
    "sox.identity": _identity,
    "sox.oversight": _human,
    "sox.approved_changes": _approved,
    "gdpr.profile": _floors_hold,
    "gdpr.purpose": _purpose,
    "gdpr.oversight": _human,
    "gdpr.legal_effect": _decided_by_a_person,
    "gdpr.dpia": _assessed,
}
