"""The RE2 engine under the rules: one combined pass tells which rules are worth a closer look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import re2

_DFA_MEMORY = 256 << 20
_PATTERN_MEMORY = 32 << 20
_CONTINUATION = bytes(range(0x80, 0xC0))


def _options(memory: int, utf8: bool) -> Any:  # noqa: ANN401 - re2 has no annotations
    options = re2.Options()
    options.encoding = re2.Options.Encoding.UTF8 if utf8 else re2.Options.Encoding.LATIN1
    options.max_mem = memory
    options.log_errors = False
    return options


def compile_pattern(pattern: str, utf8: bool = False, memory: int = _PATTERN_MEMORY) -> Any:  # noqa: ANN401 - re2 has no annotations
    """Compiles one pattern; a searched text is bytes. Raises re2.error for a bad pattern."""
    return re2.compile(pattern.encode() if utf8 else pattern.encode("latin-1"), _options(memory, utf8))


class TriggerSet:
    """All triggers as one automaton: a single linear pass answers which of them occur."""

    __slots__ = ("_set", "match")

    def __init__(self, triggers: Iterable[str], utf8: bool = False) -> None:
        self._set = re2.Set.SearchSet(_options(_DFA_MEMORY, utf8))
        for trigger in triggers:
            self._set.Add(trigger.encode() if utf8 else trigger.encode("latin-1"))
        self._set.Compile()
        self.match = self._set.Match


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
