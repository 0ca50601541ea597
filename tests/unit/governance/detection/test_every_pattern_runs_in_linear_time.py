"""No text a user sends can make a pattern work more than in proportion to its length: counted in steps and bytes, not in seconds."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import re2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import meshflow_grpc
from meshflow_grpc.expression import ExpressionSyntaxError, compile_expression, evaluate_expression
from meshflow_grpc.governance.detection import TextScanner
from meshflow_grpc.governance.detection.encodings import ASCII_ENCODINGS
from meshflow_grpc.governance.detection.matcher import TriggerSet
from meshflow_grpc.governance.detection.rule_set import Locator
from meshflow_grpc.governance.detection.scanner import ATTACK_RULES, DATA_RULES
from meshflow_grpc.governance.detection.syntax import parse
from meshflow_grpc.governance.risk import _IRREVERSIBLE_TEXT
from tests.fakes.backtracking import TOO_MANY, Backtracking, TooManyStepsError, ones, written_out

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = sorted(path for path in Path(meshflow_grpc.__file__).parent.rglob("*.py") if "_gen" not in path.parts)
ANCHORED = {"match", "fullmatch"}
CALLS = {"compile", "search", "sub", "split", "findall", "finditer", "subn", *ANCHORED}
# Not from a constant: names with a number of rules in them, or put together from other patterns.
PUT_TOGETHER = {"governance/risk.py": _IRREVERSIBLE_TEXT.pattern}
BOUNDED_BY_ITS_CALLER = {
    r"\s*[/|]\s*|\s{2,}": "splits a blob of Morse code, whose own pattern allows at most four gaps in a row",
}
OUR_OWN = {
    "syntax.py": "reads the patterns of our rules",
    "attack_rules.py": "spells out our rules",
    "rest_routes.py": "reads our own routes",
}
seeds = st.lists(st.integers(0, 1000), min_size=6, max_size=6)


def python_patterns() -> Iterator[tuple[str, str, bool]]:
    """Where, pattern, and whether it is tried at one place only, of everything the package gives to Python's re."""
    for path in (path for path in SOURCES if path.name not in OUR_OWN):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name("re"), attr=attr), args=[ast.Constant(value=value), *_]
                ) if attr in CALLS:
                    pattern = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    yield f"{path.name}:{node.lineno}", pattern, attr in ANCHORED or _anchored(source, node.lineno)
    for place, pattern in PUT_TOGETHER.items():
        yield place, pattern, False


def _anchored(source: str, line: int) -> bool:
    """Whether a compiled constant is only matched from the start, in its own module."""
    named = re.match(r"(\w+)(?:: [^=]+)? = re\.compile\($|(\w+) = re\.compile\([^\n]*\)$", source.split("\n")[line - 1])
    if named is None:
        return False
    used = set(re.findall(rf"\b{named[1] or named[2]}\.(\w+)", source))
    return bool(used) and used <= ANCHORED | {"pattern"}


def repeating() -> list[Any]:
    """Those that repeat something without a small bound: the others do the same work at each place."""
    found = {}
    for place, pattern, anchored in python_patterns():
        if re.search(r"[*+]|\{\d+,\}|\{\d+,\d{2,}\}", pattern) and pattern not in BOUNDED_BY_ITS_CALLER:
            found[pattern] = pytest.param(pattern, anchored, id=place)
    return list(found.values())


def hostile(pattern: str, seed: list[int], length: int) -> str:
    """A text made of what the pattern begins with, again and again, and of characters it repeats."""
    tree, choices = parse(pattern), itertools.cycle(seed)
    sample = written_out(tree, choices)
    kinds = sorted(set(ones(tree))) or ["a"]
    repeated = written_out(parse(kinds[seed[0] % len(kinds)]), choices)
    unit = (sample[: 1 + seed[1] % (len(sample) or 1)], repeated, sample, repeated + sample[:3])[seed[2] % 4]
    head = (sample[: seed[3] % (len(sample) + 1)], "")[seed[4] % 2]
    return (head + unit * length)[:length] or "a" * length


def bare(pattern: str) -> str:
    """Without flags and names, which the reader of rules does not know."""
    return re.sub(r"\(\?P<\w+>", "(?:", re.sub(r"^\(\?[a-z]+\)", "", pattern))


def steps(pattern: str, text: str, *, anchored: bool = False) -> int:
    """What a backtracking engine does."""
    engine = Backtracking(bare(pattern))
    try:
        engine.search(text, anchored=anchored)
    except TooManyStepsError:
        return TOO_MANY
    return engine.steps


@pytest.mark.parametrize(("pattern", "anchored"), repeating())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=seeds)
def test_a_pattern_of_pythons_engine_takes_steps_in_proportion(pattern: str, anchored: bool, seed: list[int]) -> None:
    """A backtracking engine takes at most six times the steps for four times the text."""
    short, long = (hostile(bare(pattern), seed, length) for length in (100, 400))

    assert steps(pattern, long, anchored=anchored) <= 6 * steps(pattern, short, anchored=anchored) + 200


@pytest.mark.parametrize(("pattern", "unit"), [(r"\s*x", " "), ("(?:a+)+b", "a"), ("a*a*a*b", "a"), ("(?:a|a)*b", "a")])
def test_the_measure_sees_quadratic_and_exponential_work(pattern: str, unit: str) -> None:
    """It would fail for these."""
    assert steps(pattern, unit * 32) > 6 * steps(pattern, unit * 8) + 200


class Counting:
    """A compiled pattern that counts the bytes its searches pass over."""

    def __init__(self, pattern: Any, count: list[int]) -> None:
        self._real, self._count = pattern, count

    def finditer(self, data: bytes, start: int = 0) -> Iterator[Any]:
        """As the pattern's own."""
        for match in self._real.finditer(data, start):
            self._count[0] += match.end() - start
            start = match.end()
            yield match
        self._count[0] += len(data) - start


@pytest.fixture
def counted() -> Iterator[tuple[TextScanner, list[int]]]:
    """A scanner of its own whose engines count."""
    scanner, count = TextScanner(), [0]
    blobs = [(encoding, encoding.blob) for encoding in ASCII_ENCODINGS]
    for encoding, blob in blobs:
        object.__setattr__(encoding, "blob", Counting(blob, count))
    for rules in (scanner._attacks, scanner._data, scanner._native):
        for locator in itertools.chain.from_iterable(rules._locators):
            object.__setattr__(locator, "pattern", Counting(locator.pattern, count))
    yield scanner, count
    for encoding, blob in blobs:
        object.__setattr__(encoding, "blob", blob)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=seeds, rule=st.sampled_from(ATTACK_RULES + DATA_RULES))
def test_the_scanner_passes_over_bytes_in_proportion(
    counted: tuple[TextScanner, list[int]], seed: list[int], rule: Any
) -> None:
    """For texts made of a rule's own pieces, whole and cut, four times the text is at most six times the bytes searched."""
    scanner, count = counted

    def passed(length: int) -> int:
        count[0] = 0
        scanner._scan(hostile(rule.pattern, seed, length), "input")
        return count[0]

    assert passed(8_000) <= 6 * passed(2_000) + 40_000


def test_every_rule_and_every_encoding_runs_on_re2(scanner: TextScanner) -> None:
    """RE2 has no backtracking: it reads each byte once per search."""
    engine = type(re2.compile("a"))
    located = [
        locator
        for rules in (scanner._attacks, scanner._data, scanner._native)
        for locator in itertools.chain.from_iterable(rules._locators)
    ]

    assert len(located) > 200
    assert all(isinstance(locator, Locator) and isinstance(locator.pattern, engine) for locator in located)
    assert all(isinstance(encoding.blob, engine) for encoding in ASCII_ENCODINGS)
    assert all(
        isinstance(rules.match.__self__, TriggerSet) for rules in (scanner._attacks, scanner._data, scanner._native)
    )


def test_expressions_match_patterns_in_linear_time() -> None:
    """CEL's matches() answers at once where backtracking would take ages, and knows no back-references."""
    evil = compile_expression("tool.matches('(a+)+$')", lambda _: _string(), noun="rule")
    back = compile_expression(r"tool.matches('(a)\\1')", lambda _: _string(), noun="rule")

    assert evaluate_expression(evil, {"tool": "a" * 50_000 + "!"}, noun="rule") is False
    with pytest.raises((ValueError, ExpressionSyntaxError)):
        evaluate_expression(back, {"tool": "aa"}, noun="rule")


def _string() -> Any:
    from cel_expr_python import cel

    return cel.Type.STRING
