"""Which stage enforces which policy field. A field that is not here is refused, never accepted and ignored."""

from __future__ import annotations

import dataclasses
import difflib
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, PolicyFieldNotEnforcedError
from meshflow_grpc.domain.policy import CircuitBreakerConfig, HumanInLoopConfig, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

ENFORCED_BY: dict[str, str] = {
    "mode": "policy_evaluation",
    "budget_usd": "budget_check",
    "budget_tokens": "budget_check",
    "max_steps": "budget_check",
    "timeout_s": "budget_check",
    "step_timeout_s": "execution",
    "enable_guardian": "input_guardrails",
    "enable_uncertainty": "output_guardrails",
    "enable_environmental": "budget_check",
    "carbon_budget_g": "budget_check",
    "circuit_breaker": "execution",
    "allowed_tools": "tool_permission",
    "denied_tools": "tool_permission",
    "rules": "policy_evaluation",
    "scrub_pii": "sensitive_data_scan",
    "max_output_chars": "output_guardrails",
    "human_in_loop": "risk_classification",
    "immutable_audit": "audit_ledger",
    "compliance": "compliance_profile",
    "session_budget_usd": "budget_check",
    "enable_cross_run_learning": "budget_check",
    "denied_data": "sensitive_data_scan",
}

POLICY_FIELDS = tuple(f.name for f in dataclasses.fields(Policy))
IDLE_FIELDS = tuple(name for name in POLICY_FIELDS if name not in ENFORCED_BY)
_DEFAULTS = Policy()
NESTED_FIELDS: dict[str, tuple[str, ...]] = {
    "circuit_breaker": tuple(f.name for f in dataclasses.fields(CircuitBreakerConfig)),
    "human_in_loop": tuple(f.name for f in dataclasses.fields(HumanInLoopConfig)),
}


def require_enforced(fields: Mapping[str, object], *, path: str = "policy") -> None:
    """Raises for a policy field that is unknown (InvalidRequestError) or not enforced here (PolicyFieldNotEnforcedError)."""
    unknown = [name for name in fields if name not in POLICY_FIELDS]
    if unknown:
        raise InvalidRequestError.of(*(FieldViolation(f"{path}.{n}", _unknown(n)) for n in unknown))
    idle = [
        FieldViolation(f"{path}.{name}", "is not enforced by this server, so it is refused; leave it out")
        for name in fields
        if name not in ENFORCED_BY
    ]
    if idle:
        raise PolicyFieldNotEnforcedError.of(*idle)


def unenforced(policy: Policy) -> tuple[str, ...]:
    """Fields of a policy that are set but not enforced here: it was made by a server that enforces more."""
    if not IDLE_FIELDS:
        return ()
    return tuple(name for name in IDLE_FIELDS if getattr(policy, name) != getattr(_DEFAULTS, name))


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, POLICY_FIELDS, n=1)
    return f"is not a policy field; did you mean {near[0]!r}?" if near else "is not a policy field"
