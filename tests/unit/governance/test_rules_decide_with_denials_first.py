"""Policy rules: a denial always wins, the first allow or pause decides after it, and doubt denies."""

from __future__ import annotations

import pytest

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.domain.policy import Policy, PolicyRule, RuleEffect
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.domain.workflow import Node
from meshflow_grpc.governance.effective_policy import resolve
from meshflow_grpc.governance.policy_rules import compile_rule, decide
from meshflow_grpc.kernel.stages.policy_evaluation import rule_variables

DENY, ALLOW, PAUSE = (RuleEffect(word) for word in ("deny", "allow", "pause"))
SPENT = Usage(input_tokens=40, output_tokens=60, cost_nano_usd=250_000_000, steps=2)
VARIABLES = rule_variables(Node("writer", role="author"), {"writer": "d1"}, "acme", SPENT, labels=frozenset({"phi"}))


def rules(*given: tuple[RuleEffect, str]) -> tuple[PolicyRule, ...]:
    """Rules named r0, r1, ..."""
    return tuple(PolicyRule(f"r{i}", effect, text) for i, (effect, text) in enumerate(given))


@pytest.mark.parametrize(
    ("given", "decided"),
    [
        ([(ALLOW, "true"), (PAUSE, "true"), (DENY, "true")], (DENY, "r2")),
        ([(DENY, "true"), (DENY, "true")], (DENY, "r0")),
        ([(ALLOW, "true"), (PAUSE, "true")], (ALLOW, "r0")),
        ([(PAUSE, "true"), (ALLOW, "true")], (PAUSE, "r0")),
        ([(DENY, "false"), (PAUSE, "false"), (ALLOW, "false")], None),
    ],
)
def test_the_combination_of_rules(given: list[tuple[RuleEffect, str]], decided: tuple[RuleEffect, str] | None) -> None:
    """Denials first, then allow and pause in the order given, then nothing."""
    verdict = decide(rules(*given), VARIABLES)

    assert (None if verdict is None else (verdict.effect, verdict.rule.name)) == decided


@pytest.mark.parametrize(
    "expression",
    [
        'agent.id == "writer" && agent.role == "author" && agent.digest == "d1" && agent.model == ""',
        'node.id == "writer" && node.kind == "agent" && node.iteration == 1',
        'tool == "" && !has(args.path)',
        "risk >= read_only && risk < external_io && internal < irreversible",
        '"phi" in taint && !("pii" in taint)',
        'tenant == "acme"',
        "spend.usd == 0.25 && spend.tokens == 100 && spend.steps == 2 && spend.carbon_g == 0.0",
    ],
)
def test_every_documented_variable_is_there(expression: str) -> None:
    """Each with its value."""
    assert decide(rules((PAUSE, expression)), VARIABLES) is not None


@pytest.mark.parametrize(
    "expression",
    ["args.amount > 5", "spend.euro > 1.0", "node.id > 3", "node.iteration"],
)
def test_a_rule_that_cannot_be_evaluated_denies(expression: str) -> None:
    """Fail closed, whatever the rule's effect, saying why."""
    verdict = decide(rules((ALLOW, expression)), VARIABLES)

    assert verdict is not None
    assert verdict.effect is DENY
    assert verdict.error


def test_an_endless_rule_is_cut_off_and_denies() -> None:
    """Iterations are bounded, so that no rule holds up the server."""
    expression = "".join(f"[0,1,2,3,4,5,6,7,8,9].all(x{i}, " for i in range(8)) + "true" + ")" * 8
    verdict = decide(rules((ALLOW, expression)), VARIABLES)

    assert verdict is not None
    assert verdict.effect is DENY


def test_wrong_rules_are_refused_all_at_once_with_their_place() -> None:
    """Syntax, types, unknown names and results that are no bool."""
    given = rules((DENY, "true"), (DENY, "risk >"), (DENY, "risk"), (DENY, "rsk > 2"), (DENY, 'risk == "high"'))
    with pytest.raises(InvalidRequestError) as caught:
        resolve(Policy(), {}, {"rules": given})

    problems = {v.field: v.description for v in caught.value.violations}
    assert list(problems) == [f"policy.rules[{i}].expression" for i in (1, 2, 3, 4)]
    assert "1:7 of the rule" in problems["policy.rules[1].expression"]
    assert "must give bool" in problems["policy.rules[2].expression"]
    assert "known: agent, node" in problems["policy.rules[3].expression"]
    assert "no matching overload" in problems["policy.rules[4].expression"]


def test_a_text_is_compiled_once() -> None:
    """Requests come with few different rules."""
    assert compile_rule('tenant == "once"') is compile_rule('tenant == "once"')


def test_without_spend_the_first_step_sees_zero() -> None:
    """Pre-flight sees what the first step sees."""
    first = rule_variables(Node("a"), {}, "t", ZERO_USAGE)

    assert decide(rules((DENY, "spend.usd > 0.0 || spend.steps > 0")), first) is None
