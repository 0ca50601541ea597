"""Rules compiled: first passes say which may apply, then each of those finds its spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from meshflow_grpc.governance.detection.finding import Finding
from meshflow_grpc.governance.detection.matcher import TriggerSet, compile_pattern
from meshflow_grpc.governance.detection.rule import Rule

_EXTRA_TOGETHER = 12
_LONG = 8_192


@dataclass(frozen=True)
class Locator:
    """A rule with its pattern, compiled when it is first looked for: most never are, and a server starts a fifth of a second sooner."""

    rule: Rule
    utf8: bool = False

    @cached_property
    def pattern(self) -> Any:  # noqa: ANN401 - re2 has no annotations
        """The compiled pattern."""
        return compile_pattern(self.rule.pattern, self.utf8)

    def locate(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Byte spans of the rule's items. A refused candidate is searched again from its second word."""
        rule = self.rule
        position: int | None = 0
        while position is not None:
            matches, position = self.pattern.finditer(data, position), None
            for match in matches:
                start, end = match.span(rule.group)
                if rule.items is not None:
                    yield from ((start + first, start + last) for first, last in rule.items(data[start:end].decode()))
                    continue
                if rule.check is None:
                    yield start, end
                    continue
                candidate = data[start:end].decode("utf-8", "replace")
                kept = rule.check(candidate)
                if kept == len(candidate):
                    yield start, end
                    continue
                if kept:
                    position = start + len(candidate[:kept].encode("utf-8", "replace"))
                    yield start, position
                else:
                    position = start if start > match.start() else _second_word(data, start, match.end())
                break

    def found(self, data: bytes) -> list[Finding]:
        """The rule's findings, spans in bytes."""
        rule = self.rule
        return [Finding(rule.category, rule.kind, start, end) for start, end in self.locate(data) if end > start]


def _second_word(data: bytes, start: int, end: int) -> int:
    places = [place for mark in b" -:" if (place := data.find(mark, start + 1, end)) > 0]
    return min(places, default=end - 1) + 1


def _groups(triggers: Sequence[str], size: int) -> list[Sequence[str]]:
    """In their order, so many together; a long list of words is an automaton of its own, which few texts have new states for."""
    groups: list[list[str]] = []
    for trigger in triggers:
        alone = len(trigger) > _LONG
        if not groups or alone or len(groups[-1]) == size or len(groups[-1][0]) > _LONG:
            groups.append([])
        groups[-1].append(trigger)
    return list(groups)


class RuleSet:
    """Rules that are told apart by first passes, each of them for as many triggers as may be ``together``.

    ``extra`` triggers take part, in passes of their own.
    """

    __slots__ = ("_locators", "match")

    def __init__(self, rules: Iterable[Rule], extra: Sequence[str] = (), *, together: int, utf8: bool = False) -> None:
        by_trigger: dict[str, list[Locator]] = {}
        for rule in rules:
            by_trigger.setdefault(rule.trigger or rule.pattern, []).append(Locator(rule, utf8))
        self._locators = list(by_trigger.values())
        groups = [*_groups([*by_trigger], together), *_groups(extra, _EXTRA_TOGETHER)]
        self.match = TriggerSet(groups, utf8).match

    def __len__(self) -> int:
        """The number of triggers; hits at and above it are the extra ones."""
        return len(self._locators)

    def idle_without_context(self) -> frozenset[int]:
        """Triggers that alone change nothing: all their rules wait for a context, which has a trigger of its own."""
        return frozenset(
            hit for hit, locators in enumerate(self._locators) if all(locator.rule.context for locator in locators)
        )

    def triggered(self, hits: Iterable[int], direction: str) -> list[Locator]:
        """The rules worth a closer look in this direction; in each when it is empty."""
        return [
            locator
            for hit in hits
            if hit < len(self._locators)
            for locator in self._locators[hit]
            if not direction or locator.rule.direction in ("", direction)
        ]
