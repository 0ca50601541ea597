"""The policy a run is held to. Field names, types and defaults are the contract (docs/policy.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class PolicyMode(StrEnum):
    """How strict governance is as a whole."""

    DEV = "dev"
    STANDARD = "standard"
    REGULATED = "regulated"
    LEGAL_CRITICAL = "legal-critical"
    HIPAA = "hipaa"


class RiskTier(IntEnum):
    """What an action can do to the world, from least to most."""

    READ_ONLY = 1
    INTERNAL = 2
    EXTERNAL_IO = 3
    IRREVERSIBLE = 4

    @property
    def label(self) -> str:
        """Name as written in requests and in the ledger: ``external_io``."""
        return _LABELS[self]


_LABELS = {tier: tier.name.lower() for tier in RiskTier}


class RuleEffect(StrEnum):
    """What a matching policy rule does."""

    ALLOW = "allow"
    DENY = "deny"
    PAUSE = "pause"


class TimeoutAction(StrEnum):
    """What happens to a step nobody decided on in time."""

    REJECT = "reject"
    APPROVE = "approve"


COMPLIANCE_PROFILES = ("gdpr", "hipaa", "sox")
DATA_CLASSES = ("pii", "phi", "secret")


@dataclass(frozen=True, slots=True)
class CircuitBreakerConfig:
    """Retries, and when failures of an agent or tool stop further calls to it. Times in seconds."""

    max_retries: int = 2
    failure_threshold: int = 5
    failure_window_s: float = 60.0
    half_open_after_s: float = 30.0


@dataclass(frozen=True, slots=True)
class HumanInLoopConfig:
    """When a human must approve a step, and what happens when nobody does. Times in seconds."""

    enabled: bool = False
    tier_threshold: RiskTier = RiskTier.IRREVERSIBLE
    timeout_s: float = 86_400.0
    on_timeout: TimeoutAction = TimeoutAction.REJECT
    approval_webhook: str = ""
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """Policy as code: a CEL expression over agent, node, tool, args, risk, taint, tenant and spend."""

    name: str
    effect: RuleEffect
    expression: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Governance of one run. Money in US dollars, times in seconds, carbon in grams of CO2 equivalent."""

    mode: PolicyMode = PolicyMode.STANDARD
    budget_usd: float = 1.0
    budget_tokens: int = 500_000
    max_steps: int = 50
    timeout_s: float = 300.0
    step_timeout_s: float = 0.0
    enable_guardian: bool = True
    enable_uncertainty: bool = False
    enable_environmental: bool = False
    carbon_budget_g: float = 500.0
    enable_cross_run_learning: bool = False
    immutable_audit: bool = False
    compliance: tuple[str, ...] = ()
    circuit_breaker: CircuitBreakerConfig = field(default_factory=CircuitBreakerConfig)
    human_in_loop: HumanInLoopConfig = field(default_factory=HumanInLoopConfig)
    allowed_tools: tuple[str, ...] | None = None
    denied_tools: tuple[str, ...] = ()
    rules: tuple[PolicyRule, ...] = ()
    scrub_pii: bool = False
    max_output_chars: int = 0
    session_budget_usd: float | None = None
    denied_data: tuple[str, ...] = ()
