"""The policy that a run at a peer is asked for: the caller's, its share of the budget, and nothing above the step's tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.policy import PolicyMode, RiskTier, RuleEffect, TimeoutAction
from meshflow_grpc.domain.usage import grams, usd

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.policy import HumanInLoopConfig, Policy
    from meshflow_grpc.domain.usage import Usage

TIER_RULE = "mesh_caller_tier"
# Fields that say the least when they are false: a peer that asks for more of its own accord may.
_SWITCHES = ("enable_guardian", "enable_uncertainty", "enable_environmental", "immutable_audit", "scrub_pii")
_MILD_MODES = frozenset({PolicyMode.DEV, PolicyMode.STANDARD})


def peer_policy(policy: Policy, share: Usage, timeout_s: float, tier: RiskTier) -> dict[str, JsonValue]:
    """The fields of the request. Values at their loosest are left out, so that the peer's own floors and defaults hold instead.

    What the peer does may not exceed the step's ``tier``: otherwise a step that may simply be done again elsewhere could act twice.
    """
    breaker = policy.circuit_breaker
    fields: dict[str, JsonValue] = {
        "budget_usd": usd(share.cost_nano_usd),
        "budget_tokens": share.tokens,
        "max_steps": policy.max_steps,
        "timeout_s": timeout_s,
        "circuit_breaker": {
            "max_retries": breaker.max_retries,
            "failure_threshold": breaker.failure_threshold,
            "failure_window_s": breaker.failure_window_s,
            "half_open_after_s": breaker.half_open_after_s,
        },
        "human_in_loop": _human(policy.human_in_loop),
        **{name: True for name in _SWITCHES if getattr(policy, name)},
    }
    if policy.enable_environmental:
        fields["carbon_budget_g"] = grams(share.carbon_ug)
    return {**fields, **_limits(policy), "rules": _rules(policy, tier)}


def _limits(policy: Policy) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {}
    if policy.mode not in _MILD_MODES:
        fields["mode"] = policy.mode.value
    if policy.step_timeout_s:
        fields["step_timeout_s"] = policy.step_timeout_s
    if policy.max_output_chars:
        fields["max_output_chars"] = policy.max_output_chars
    for name, values in (("compliance", policy.compliance), ("denied_data", policy.denied_data)):
        if values:
            fields[name] = ",".join(values)
    if policy.allowed_tools is not None:
        fields["allowed_tools"] = list(policy.allowed_tools)
    if policy.denied_tools:
        fields["denied_tools"] = list(policy.denied_tools)
    return fields


def _human(human: HumanInLoopConfig) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {"timeout_s": human.timeout_s}
    if human.enabled:
        fields |= {"enabled": True, "tier_threshold": human.tier_threshold.label}
    if human.on_timeout is TimeoutAction.REJECT:
        fields["on_timeout"] = human.on_timeout.value
    if human.approvers:
        fields["approvers"] = list(human.approvers)
    return fields


def _rules(policy: Policy, tier: RiskTier) -> list[JsonValue]:
    rules: list[JsonValue] = [
        {"name": rule.name, "effect": rule.effect.value, "expression": rule.expression} for rule in policy.rules
    ]
    bound: JsonValue = {"name": TIER_RULE, "effect": RuleEffect.DENY.value, "expression": f"risk > {tier.label}"}
    return rules if tier is RiskTier.IRREVERSIBLE or bound in rules else [*rules, bound]
