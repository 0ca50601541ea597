"""Request over workflow over server default; one digest for one policy."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.domain.policy import (
    CircuitBreakerConfig,
    HumanInLoopConfig,
    Policy,
    PolicyMode,
    PolicyRule,
    RiskTier,
    RuleEffect,
)
from meshflow_grpc.governance.effective_policy import of_policy, policy_from_json, policy_json, resolve
from meshflow_grpc.governance.policy_fields import parse_policy_fields

POLICIES = st.builds(
    Policy,
    mode=st.sampled_from(PolicyMode),
    budget_usd=st.floats(0, 1e6),
    budget_tokens=st.integers(0, 10**9),
    compliance=st.sets(st.sampled_from(["gdpr", "hipaa", "sox"])).map(lambda s: tuple(sorted(s))),
    circuit_breaker=st.builds(CircuitBreakerConfig, max_retries=st.integers(0, 10)),
    human_in_loop=st.builds(
        HumanInLoopConfig, enabled=st.booleans(), tier_threshold=st.sampled_from(RiskTier), approvers=st.just(("ann",))
    ),
    allowed_tools=st.none() | st.just(()) | st.just(("search", "mail")),
    rules=st.just(()) | st.just((PolicyRule("r", RuleEffect.DENY, "risk > 2"),)),
)


@given(POLICIES)
def test_a_policy_survives_the_ledger(policy: Policy) -> None:
    """policy_from_json inverts policy_json: a resumed run is held to the same policy."""
    assert policy_from_json(policy_json(policy)) == policy


@given(POLICIES, POLICIES)
def test_equal_policies_and_only_they_share_a_digest(a: Policy, b: Policy) -> None:
    """The digest names the policy."""
    assert (of_policy(a).digest == of_policy(b).digest) == (policy_json(a) == policy_json(b))


def test_whole_numbers_and_floats_are_the_same_policy() -> None:
    """2 and 2.0 dollars do not differ."""
    assert of_policy(Policy(budget_usd=2)).digest == of_policy(Policy(budget_usd=2.0)).digest


def test_the_request_wins_over_the_workflow_and_that_over_the_default() -> None:
    """Field by field, also inside nested objects."""
    default = Policy(budget_usd=9.0, max_steps=7)
    workflow = {"budget_usd": 5.0, "circuit_breaker": {"max_retries": 5}}
    request = {"budget_usd": 2.0, "circuit_breaker": {"failure_threshold": 9}}
    policy = resolve(default, workflow, request).policy

    assert (policy.budget_usd, policy.max_steps) == (2.0, 7)
    assert (policy.circuit_breaker.failure_threshold, policy.circuit_breaker.max_retries) == (9, 5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("budget_usd", "2.0"),
        ("budget_usd", -1),
        ("budget_usd", float("nan")),
        ("budget_usd", True),
        ("max_steps", 0),
        ("max_steps", 1.5),
        ("timeout_s", 0),
        ("enable_guardian", "yes"),
        ("mode", "strict"),
        ("compliance", "pci"),
        ("circuit_breaker", 3),
        ("circuit_breaker", {"retries": 1}),
        ("human_in_loop", {"tier_threshold": "scary"}),
        ("allowed_tools", "search"),
        ("rules", [{"name": "x"}]),
        ("budgt_usd", 1),
    ],
)
def test_a_bad_value_names_its_field(field: str, value: object) -> None:
    """Wrong types, ranges and names are all told with their path."""
    with pytest.raises(InvalidRequestError, match=rf"policy\.{field}"):
        parse_policy_fields({field: value})


def test_all_bad_fields_are_told_at_once() -> None:
    """One answer, every problem."""
    with pytest.raises(InvalidRequestError) as refused:
        parse_policy_fields({"budget_usd": -1, "max_steps": 0, "modee": "dev"})

    assert [v.field for v in refused.value.violations] == ["policy.budget_usd", "policy.max_steps", "policy.modee"]


@pytest.mark.parametrize("spelling", ["REGULATED", "regulated", "Legal-Critical", "legal_critical", "LEGAL_CRITICAL"])
def test_modes_are_spelled_freely(spelling: str) -> None:
    """Case and dashes do not matter."""
    assert parse_policy_fields({"mode": spelling})["mode"] in PolicyMode


def test_profiles_come_as_a_word_a_list_or_words_with_commas() -> None:
    """All three spellings mean the same."""
    expected = ("hipaa", "sox")
    for value in ("sox,hipaa", ["sox", "hipaa"], "hipaa, sox, hipaa"):
        assert parse_policy_fields({"compliance": value})["compliance"] == expected


def test_every_field_of_the_policy_can_be_parsed() -> None:
    """The table of parsers and the dataclass hold the same names."""
    document = dict(policy_json(Policy()))
    parsed = parse_policy_fields({k: v for k, v in document.items() if v is not None})

    assert set(parsed) == {f.name for f in dataclasses.fields(Policy)} - {"allowed_tools", "session_budget_usd"}
