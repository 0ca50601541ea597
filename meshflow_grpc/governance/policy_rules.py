"""Policy as code: a policy's CEL rules, compiled once per text and combined so that a denial always wins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from cel_expr_python import cel

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.policy import PolicyRule, RiskTier, RuleEffect
from meshflow_grpc.expression import (
    EvaluationError,
    Expression,
    ExpressionSyntaxError,
    compile_expression,
    evaluate_expression,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RULE_VARIABLES: Mapping[str, Any] = {
    "agent": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "node": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "tool": cel.Type.STRING,
    "args": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "risk": cel.Type.INT,
    "taint": cel.Type.List(cel.Type.STRING),
    "tenant": cel.Type.STRING,
    "spend": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
}
RISK_CONSTANTS: Mapping[str, int] = {tier.label: int(tier) for tier in RiskTier}
CACHED = 4096


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What the rules say of a step: the effect and the rule that decided. ``error`` is why a rule could not be evaluated."""

    effect: RuleEffect
    rule: PolicyRule
    error: str = ""


@lru_cache(maxsize=CACHED)
def compile_rule(expression: str) -> Expression:
    """Compiles the text of a rule once; raises ExpressionSyntaxError."""
    return compile_expression(expression, _declare, noun="rule")


def check_rules(fields: Mapping[str, object], *, path: str = "policy") -> None:
    """Raises InvalidRequestError naming ``path.rules[i].expression`` for every rule that does not compile."""
    problems = []
    for index, rule in enumerate(cast("Iterable[PolicyRule]", fields.get("rules", ()))):
        try:
            compile_rule(rule.expression)
        except ExpressionSyntaxError as error:
            problems.append(FieldViolation(f"{path}.rules[{index}].expression", str(error)))
    if problems:
        raise InvalidRequestError.of(*problems)


def decide(rules: Iterable[PolicyRule], variables: Mapping[str, object]) -> RuleVerdict | None:
    """Returns what decides, or None when no rule matches.

    The first matching ``deny`` decides; without one, the first matching ``allow`` or ``pause`` in the order given. A rule that
    cannot be evaluated denies.
    """
    ordered = sorted(rules, key=lambda rule: rule.effect is not RuleEffect.DENY)
    for rule in ordered:
        expression = compile_rule(rule.expression)
        data: dict[str, object] = {
            name: RISK_CONSTANTS[name] if name in RISK_CONSTANTS else variables[name] for name in expression.variables
        }
        try:
            if evaluate_expression(expression, data, noun="rule"):
                return RuleVerdict(rule.effect, rule)
        except EvaluationError as error:
            return RuleVerdict(RuleEffect.DENY, rule, str(error))
    return None


def _declare(name: str) -> Any:  # noqa: ANN401 - the library's types are untyped
    if name in RULE_VARIABLES:
        return RULE_VARIABLES[name]
    if name in RISK_CONSTANTS:
        return cel.Type.INT
    known = ", ".join([*RULE_VARIABLES, *RISK_CONSTANTS])
    raise ExpressionSyntaxError(f"{name!r} is not a variable of rules; known: {known}")
