"""What a scan says of a text: neither what was scanned before, nor how the triggers are put together, has a part in it."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshflow_grpc.governance.detection import TextScanner
from meshflow_grpc.governance.detection.matcher import compile_pattern
from meshflow_grpc.governance.detection.rule import Rule
from meshflow_grpc.governance.detection.rule_set import RuleSet
from meshflow_grpc.governance.detection.scanner import ATTACK_RULES, DATA_RULES, LONGEST_REMEMBERED, REMEMBERED
from meshflow_grpc.governance.detection.syntax import parse
from tests.fakes.backtracking import written_out

RULES = ATTACK_RULES + DATA_RULES
PROSE = "The committee met on Tuesday to weigh the two drafts; revenue grew, and nobody could say why the third region lagged. "
seeds = st.lists(st.integers(0, 1000), min_size=40, max_size=60)
texts = st.builds(
    lambda rules, seed, glue: glue.join(written_out(parse(rule.pattern), itertools.cycle(seed)) for rule in rules),
    st.lists(st.sampled_from(RULES), min_size=1, max_size=4),
    seeds,
    st.sampled_from([" ", "\n", ". ", '"', "_", "é ", PROSE]),
)


@cache
def alone(trigger: str) -> Any:
    """A trigger as a pattern of its own."""
    return compile_pattern(trigger)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=texts)
def test_a_trigger_hits_whatever_it_shares_its_automaton_with(scanner: TextScanner, text: str) -> None:
    """The passes together say what each trigger says when it is searched for by itself."""
    data = text.encode("latin-1", "replace")
    for rules in (scanner._attacks, scanner._data):
        hits = set(rules.match(data))
        for number, locators in enumerate(rules._locators):
            pattern = alone(locators[0].rule.trigger or locators[0].rule.pattern)
            assert (number in hits) == (pattern.search(data) is not None)


def test_hits_are_counted_through_all_automata() -> None:
    """Rules, then the extra triggers, however many share an automaton."""
    rules = [Rule("pii", f"kind_{number}", f"word{number}x") for number in range(7)]

    for together in (1, 2, 3, 7, 20):
        found = RuleSet(rules, ("extra_one", "extra_two"), together=together).match(b"word6x word2x extra_two word0x")
        assert sorted(found) == [0, 2, 6, 8]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=texts, others=st.lists(texts, max_size=3))
def test_a_remembered_text_reads_as_an_unknown_one(scanner: TextScanner, text: str, others: list[str]) -> None:
    """Asked again, after others, and in either direction, the answer is that of a scan that remembers nothing."""
    for seen in (text, *others, text):
        for direction, scan in (("input", scanner.scan_input), ("output", scanner.scan_output)):
            assert scan(seen) == scanner._scan(seen, direction)


def test_few_and_short_texts_are_remembered() -> None:
    """What is kept of texts has a bound in number and in length."""
    scanner = TextScanner()
    for number in range(REMEMBERED + 50):
        scanner.scan_input(f"{number}" + "x" * (LONGEST_REMEMBERED - 10))
    scanner.scan_input("y" * (LONGEST_REMEMBERED + 1))

    kept = scanner._remembered.cache_info()
    assert kept.currsize == kept.maxsize == REMEMBERED
    assert kept.misses == REMEMBERED + 50


def test_a_text_is_scanned_once_for_both_directions_unless_it_holds_an_attack() -> None:
    """A tool's answer is judged as an output and as the input it becomes; only rules for attacks ask which of them it is."""
    scanner = TextScanner()
    text = "write to jane@example.org about the second draft"
    assert scanner.scan_output(text) is scanner.scan_input(text)
    assert scanner._remembered.cache_info().misses == 1

    leak = "My system prompt is as follows: be kind."
    assert "prompt_leak" in scanner.scan_output(leak).categories()
    assert scanner.scan_input(leak) == scanner._scan(leak, "input") != scanner.scan_output(leak)
