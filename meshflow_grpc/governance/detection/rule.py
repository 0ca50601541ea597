"""The shape of one detection rule, and the small builders the rule tables are written with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Check = Callable[[str], int]
"""Judges a candidate: how many of its leading characters are the item; 0 refuses it."""

Items = Callable[[str], Iterator[tuple[int, int]]]
"""Finds all items in what the pattern matches, for patterns that match a whole run of them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern in RE2 syntax over UTF-8 bytes read as Latin-1, so that one byte is one step of the automaton.

    `trigger` is what the combined first pass looks for (the whole pattern when empty); it must match wherever the pattern
    does. `group` is the item's group; with `items` it holds any number of them, in ASCII. A rule with `context` counts only
    in a text that has the named context, one with `direction` only for "input" or "output".
    """

    category: str
    kind: str
    pattern: str
    group: int = 0
    check: Check | None = None
    trigger: str = ""
    context: str = ""
    direction: str = ""
    items: Items | None = None


def whole(predicate: Callable[[str], bool]) -> Check:
    """Turns a yes-or-no test into a check that keeps the whole candidate."""

    def check(candidate: str) -> int:
        return len(candidate) if predicate(candidate) else 0

    return check


def digits(minimum: int, maximum: int = 40) -> Check:
    """Accepts candidates with that many digits."""
    return whole(lambda candidate: minimum <= sum(map(str.isdigit, candidate)) <= maximum)


def words(*alternatives: str) -> str:
    """One of these words or phrases, any case, any white space between the words."""
    spaced = "|".join(alternatives).replace(" ?", r"\s?").replace(" ", r"\s+")
    return rf"(?i:\b(?:{spaced}))"


LABEL_GAP = (
    r"(?i:[\s:#=\-*\"'(\[|.,]{0,4}(?:(?:number|numbers|no|num|nr|id|identifier|code|is|was|as|of|with|reads|reading|card|on|file|the|my|his|her|their|serial|plan|record|account|member|policy)\b"
    r"[\s:#=\-*\"'(\[|.,]{0,4}){0,4})"
)
"""What may stand between a label and its value: punctuation and a few filler words."""


def labelled(
    category: str, kind: str, labels: Iterable[str], value: str, check: Check | None = None, context: str = ""
) -> Rule:
    """A value that means something only after one of these labels."""
    label = words(*labels)
    return Rule(
        category, kind, rf"{label}\b{LABEL_GAP}({value})", group=1, check=check, trigger=rf"{label}\b", context=context
    )
