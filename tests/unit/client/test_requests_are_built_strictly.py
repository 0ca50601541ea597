"""A request says exactly what was asked, or is refused before it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.client.messages import LedgerEntry, RunEvent, RunResponse, to_json
from meshflow_grpc.client.requests import policy_message, run_request
from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.domain.policy import HumanInLoopConfig, Policy, PolicyMode, PolicyRule, RiskTier, RuleEffect

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue


def test_every_kind_of_policy_field_arrives() -> None:
    """Scalars, nested objects, lists of rules and tool lists are all set, and nothing else is."""
    policy = policy_message(
        {
            "mode": "regulated",
            "budget_usd": 2,
            "max_steps": 0,
            "enable_guardian": False,
            "compliance": ["sox", "gdpr"],
            "human_in_loop": {"enabled": True, "approvers": ["ann"]},
            "allowed_tools": [],
            "denied_tools": {"names": ["shell"]},
            "rules": [{"name": "r", "effect": "deny", "expression": "true"}],
        }
    )

    assert (policy.mode, policy.budget_usd, policy.max_steps, policy.compliance) == ("regulated", 2.0, 0, "sox,gdpr")
    assert policy.HasField("max_steps")
    assert policy.HasField("enable_guardian")
    assert not policy.HasField("budget_tokens")
    assert (policy.human_in_loop.enabled, list(policy.human_in_loop.approvers)) == (True, ["ann"])
    assert policy.HasField("allowed_tools")
    assert list(policy.denied_tools.names) == ["shell"]
    assert policy.rules[0].effect == "deny"


def test_a_policy_object_is_sent_as_the_fields_that_differ() -> None:
    """Tiers and modes by name, alone or within a mapping; a wrong value is named like any other."""
    human = HumanInLoopConfig(enabled=True, tier_threshold=RiskTier.EXTERNAL_IO)
    rule = PolicyRule("none", RuleEffect.DENY, "risk == irreversible")
    policy = Policy(
        mode=PolicyMode.REGULATED, human_in_loop=human, denied_tools=("shell",), rules=(rule,), compliance=("sox",)
    )
    fields: dict[str, JsonValue] = {
        "mode": "regulated",
        "human_in_loop": {"enabled": True, "tier_threshold": "external_io"},
        "denied_tools": ["shell"],
        "rules": [{"name": "none", "effect": "deny", "expression": "risk == irreversible"}],
        "compliance": ["sox"],
    }

    assert policy_message(policy) == policy_message(fields)
    assert policy_message({"human_in_loop": human}).human_in_loop == policy_message(fields).human_in_loop
    assert policy_message(Policy()) == policy_message({})
    wrong: Any = "much"
    with pytest.raises(InvalidRequestError, match=r"policy\.budget_usd: must be a number"):
        policy_message(Policy(budget_usd=wrong))


@pytest.mark.parametrize(
    ("policy", "field", "description"),
    [
        ({"budgt_usd": 1}, "policy.budgt_usd", "did you mean 'budget_usd'"),
        ({"human_in_loop": {"enable": True}}, "policy.human_in_loop.enable", "did you mean 'enabled'"),
        ({"rules": [{"nam": "x"}]}, "policy.rules[0].nam", "did you mean 'name'"),
        ({"budget_usd": "2"}, "policy.budget_usd", "must be a number"),
        ({"budget_usd": True}, "policy.budget_usd", "must be a number"),
        ({"budget_usd": None}, "policy.budget_usd", "must be a number"),
        ({"max_steps": 1.5}, "policy.max_steps", "must be a whole number"),
        ({"max_steps": 2**31}, "policy.max_steps", "must be a whole number"),
        ({"enable_guardian": 1}, "policy.enable_guardian", "must be true or false"),
        ({"mode": 3}, "policy.mode", "must be a string"),
        ({"mode": ["dev"]}, "policy.mode", "must be a string"),
        ({"human_in_loop": True}, "policy.human_in_loop", "must be an object"),
        ({"allowed_tools": "shell"}, "policy.allowed_tools", "must be a list of strings"),
        ({"rules": {"name": "x"}}, "policy.rules", "must be a list of objects"),
    ],
)
def test_a_wrong_policy_field_is_named(policy: dict[str, JsonValue], field: str, description: str) -> None:
    """An unknown key names its neighbour, a wrong type what it must be."""
    with pytest.raises(InvalidRequestError) as raised:
        policy_message(policy)

    assert [each.field for each in raised.value.violations] == [field]
    assert description in raised.value.violations[0].description


def test_all_wrong_fields_are_named_at_once() -> None:
    """Violations are collected over the whole request."""
    options: dict[str, Any] = {"policy": {"mod": "dev"}, "labels": {"team": 3}, "workflw": "x", "input": [1]}

    with pytest.raises(InvalidRequestError) as raised:
        run_request("a task", options)  # type: ignore[arg-type]

    assert {each.field for each in raised.value.violations} == {"policy.mod", "labels.team", "workflw", "input"}


def test_structured_input_arrives_as_it_is() -> None:
    """Nested input of every JSON type survives."""
    given: dict[str, JsonValue] = {"topic": "wind", "deep": {"list": [1, "a", None, True]}}

    request = run_request(None, {"input": given, "labels": {"team": "a"}})

    assert to_json(request)["input"] == {"topic": "wind", "deep": {"list": [1.0, "a", None, True]}}
    assert dict(request.labels) == {"team": "a"}
    assert not request.HasField("task")


def test_json_of_a_run_starts_with_the_fields_of_the_contract() -> None:
    """Fields come in the order of the message; absent optional ones are left out, zeros are not."""
    shown = to_json(RunResponse(run_id="run_1", status="running"))

    assert list(shown)[:6] == ["run_id", "status", "output", "total_cost_usd", "total_tokens", "ledger_entries"]
    assert shown["ledger_entries"] == 0
    assert "blocked_by" not in shown


def test_json_holds_integers_as_numbers_and_times_as_text() -> None:
    """A 64-bit place in the ledger is a number; a time is RFC 3339."""
    entry = LedgerEntry(seq=2**40)
    entry.time.FromJsonString("2026-01-02T03:04:05.678Z")

    shown = to_json(entry)

    assert shown["seq"] == 2**40
    assert shown["time"] == "2026-01-02T03:04:05.678Z"
    assert to_json(RunEvent(event_type="x", run_id="r")) == {"event_type": "x", "run_id": "r"}
