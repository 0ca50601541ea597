"""The RE2 engine under the rules: one combined pass tells which rules are worth a closer look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import re2

_DFA_MEMORY = 16 << 20
_PATTERN_MEMORY = 32 << 20
_CONTINUATION = bytes(range(0x80, 0xC0))


def _options(memory: int, utf8: bool) -> Any:  # noqa: ANN401 - re2 has no annotations
    options = re2.Options()
    options.encoding = re2.Options.Encoding.UTF8 if utf8 else re2.Options.Encoding.LATIN1
    options.max_mem = memory
    options.log_errors = False
    return options


def compile_pattern(pattern: str, utf8: bool = False) -> Any:  # noqa: ANN401 - re2 has no annotations
    """Compiles one pattern; a searched text is bytes. Raises re2.error for a bad pattern."""
    return re2.compile(pattern.encode() if utf8 else pattern.encode("latin-1"), _options(_PATTERN_MEMORY, utf8))


class TriggerSet:
    """Triggers as a few automata: one linear pass each answers which of them occur.

    An automaton's state is everything that may be under way, and RE2 builds the states as texts come. One for all would meet new
    ones in every new text, each of them made of all the triggers: several small ones are read more often and built far less.
    """

    __slots__ = ("_automata",)

    def __init__(self, groups: Iterable[Sequence[str]], utf8: bool = False) -> None:
        """Hits count through all groups."""
        self._automata: list[tuple[int, Any]] = []
        first = 0
        for group in groups:
            automaton = re2.Set.SearchSet(_options(_DFA_MEMORY, utf8))
            for trigger in group:
                automaton.Add(trigger.encode() if utf8 else trigger.encode("latin-1"))
            automaton.Compile()
            self._automata.append((first, automaton.Match))
            first += len(group)

    def match(self, data: bytes) -> list[int]:
        """The triggers that occur."""
        hits: list[int] = []
        for first, match in self._automata:
            found = match(data)
            if found:
                hits += [first + hit for hit in found] if first else found
        return hits


def code_point_offsets(data: bytes, offsets: Iterable[int]) -> dict[int, int]:
    """The place in code points of each byte offset of UTF-8 data; an offset inside a character is that character's start."""
    places: dict[int, int] = {}
    passed = counted = 0
    for offset in sorted(set(offsets)):
        counted += len(data[passed:offset].translate(None, _CONTINUATION))
        passed = offset
        inside = offset < len(data) and 0x80 <= data[offset] < 0xC0
        places[offset] = counted - inside
    return places
