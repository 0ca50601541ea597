"""The first pass looks for a part of each rule: whatever the rule matches has that part, so no item is passed over."""

from __future__ import annotations

import random

import pytest

from meshflow_grpc.governance.detection import TextScanner
from meshflow_grpc.governance.detection.matcher import compile_pattern
from meshflow_grpc.governance.detection.rule import Rule
from meshflow_grpc.governance.detection.scanner import ATTACK_RULES, DATA_RULES
from meshflow_grpc.governance.detection.syntax import parse
from tests.fakes.generated_texts import generated

TRIGGERED = [rule for rule in ATTACK_RULES + DATA_RULES if rule.trigger]
AROUND = (b"", b" ", b"x", b"7", b".", b"_", b"\n", "é".encode())
TEXTS = 250


def passed_over(rule: Rule, texts: int, seed: int) -> tuple[int, list[bytes]]:
    """Of some texts made of the rule, how many it matches, and which of those its trigger does not occur in."""
    chance, tree = random.Random(seed), parse(rule.pattern)
    pattern, trigger = compile_pattern(rule.pattern), compile_pattern(rule.trigger)
    made = (chance.choice(AROUND) + generated(tree, chance) + chance.choice(AROUND) for _ in range(texts))
    matched = [data for data in made if pattern.search(data)]
    return len(matched), [data for data in matched if not trigger.search(data)]


@pytest.mark.parametrize("start", range(0, len(TRIGGERED), 25))
def test_whatever_a_rule_matches_has_its_trigger(start: int) -> None:
    """For texts drawn from everything each rule allows: odd groupings, every letter of every class, every option."""
    for place, rule in enumerate(TRIGGERED[start : start + 25], start):
        matched, missed = passed_over(rule, TEXTS, place)
        assert matched >= TEXTS // 20, f"too few texts of {rule.kind} were made: {rule.pattern}"
        assert not missed, f"the trigger {rule.trigger} of {rule.kind} passes over {missed[:3]}"


@pytest.mark.parametrize(
    ("pattern", "trigger"),
    [
        (r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}@[A-Za-z0-9]", r"[A-Za-z0-9_-]@"),
        (r"\b(?:hf|api_org)_[A-Za-z0-9]{30,40}\b", r"\b(?:hf|api_org)_[A-Za-z]"),
        (r"\b\d(?:[ -]?\d){13,18}\b", r"\d[ -]?\d{3}[ -]?\d{3,4}[ -]?\d{2,4}[ -]?\d{2}"),
        (r"(?i:https?://|www\.)[^\s<>]{3,500}[a-z]", r"(?i:https?://|www\.)[a-zA-Z0-9]"),
    ],
)
def test_the_measure_sees_a_trigger_that_is_too_narrow(pattern: str, trigger: str) -> None:
    """It would fail for these, which were narrower than their rules once."""
    _, missed = passed_over(Rule("pii", "kind", pattern, trigger=trigger), TEXTS, 1)

    assert missed


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email_address", "write to jane.@example.org"),
        ("email_address", "write to o'@example.org"),
        ("ip_address", "from ::db8:85a3:7334 on"),
        ("credit_card", "card 41-11 1111-1 1 11-1111-11, thanks"),
        ("credit_card", "4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1"),
        ("iban", "pay DE89 37 0 4 0044 0532 0130 00 soon"),
        ("url", "patient portal www.@host/u/17"),
        ("huggingface_token", "api_org_7xXgQpHvsh5LdVzeeyY3sJckQZ6a7LCdaYJ"),
        ("person_name", "jane@example.org is of Sandra Élan"),
    ],
)
def test_an_item_in_an_odd_shape_is_found(scanner: TextScanner, kind: str, text: str) -> None:
    """Each of these was passed over by a trigger that was narrower than its rule."""
    assert kind in {finding.kind for finding in scanner.scan_input(text).findings}
