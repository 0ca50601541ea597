"""A backtracking matcher that counts its steps: how much work a pattern can make for an engine that tries one way after another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meshflow_grpc.governance.detection.syntax import Assertion, Choice, Flagged, Node, One, Repeat, Sequence, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOO_MANY = 100_000


_CODES = (*range(97, 123), *range(32, 97), *range(123, 127), 10, 0xE9, 0xFE00, 0xE0100)


class TooManyStepsError(Exception):
    """The matcher gave up."""


class Backtracking:
    """Searches as Python's re does, without its short cuts."""

    def __init__(self, pattern: str) -> None:
        bare = re.sub(r"\(\?P<\w+>", "(?:", re.sub(r"^\(\?[a-z]+\)", "", pattern))
        self.tree = parse(bare)
        self._ones: dict[str, re.Pattern[str]] = {}
        self._text = ""
        self.steps = 0

    def search(self, text: str, *, anchored: bool = False) -> bool:
        """Whether the pattern occurs; from every place, or from the first alone. Raises TooManyStepsError."""
        self._text = text
        starts = [0] if anchored else list(range(len(text) + 1))
        place = 0
        for start in starts:
            if start < place:
                continue
            ends: list[int] = []
            if self._match(self.tree, start, lambda end, ends=ends: ends.append(end) is None):  # type: ignore[misc]
                place = max(ends[0], start + 1)
        return place > 0

    def _match(self, node: Node, place: int, go_on: Callable[[int], bool]) -> bool:
        self.steps += 1
        if self.steps > TOO_MANY:
            raise TooManyStepsError
        match node:
            case One(text):
                return place < len(self._text) and self._is(text, self._text[place]) and go_on(place + 1)
            case Assertion():
                return go_on(place)
            case Sequence(parts):
                return self._sequence(parts, place, go_on)
            case Choice(options):
                return any(self._match(option, place, go_on) for option in options)
            case Repeat(item, least, most):
                return self._repeat(item, least, most, place, go_on)
            case Flagged(_, item):
                return self._match(item, place, go_on)

    def _sequence(self, parts: tuple[Node, ...], place: int, go_on: Callable[[int], bool]) -> bool:
        if not parts:
            return go_on(place)
        return self._match(parts[0], place, lambda end: self._sequence(parts[1:], end, go_on))

    def _repeat(self, item: Node, least: int, most: int | None, place: int, go_on: Callable[[int], bool]) -> bool:
        if isinstance(item, One):
            ends = [place]
            while (most is None or len(ends) <= most) and ends[-1] < len(self._text):
                self.steps += 1
                if not self._is(item.text, self._text[ends[-1]]):
                    break
                ends.append(ends[-1] + 1)
            return any(self._go(go_on, end) for end in reversed(ends[least:]))
        if most == 0:
            return go_on(place)
        further = None if most is None else most - 1
        if self._match(
            item,
            place,
            lambda end: end > place and self._repeat(item, max(least - 1, 0), further, end, go_on),
        ):
            return True
        return least == 0 and go_on(place)

    def _go(self, go_on: Callable[[int], bool], place: int) -> bool:
        self.steps += 1
        if self.steps > TOO_MANY:
            raise TooManyStepsError
        return go_on(place)

    def _is(self, one: str, char: str) -> bool:
        known = self._ones.setdefault(one, re.compile(one, re.DOTALL))
        return known.match(char) is not None


def ones(node: Node) -> Iterator[str]:
    """The characters and classes of a pattern."""
    match node:
        case One(text):
            yield text
        case Sequence(parts):
            for part in parts:
                yield from ones(part)
        case Choice(options):
            for option in options:
                yield from ones(option)
        case Repeat(item, _, _) | Flagged(_, item):
            yield from ones(item)
        case _:
            return


def an_example(one: str, choice: int) -> str:
    """A character that a class or escape matches."""
    if len(one) == 1 and one != ".":
        return one
    form = re.compile(one, re.DOTALL)
    fitting = [chr(code) for code in _CODES if form.match(chr(code))]
    return fitting[choice % len(fitting)] if fitting else "a"


def written_out(node: Node, choices: Iterator[int]) -> str:
    """A text that the pattern matches; repeats are short."""
    match node:
        case One(text):
            return an_example(text, next(choices))
        case Sequence(parts):
            return "".join(written_out(part, choices) for part in parts)
        case Choice(options):
            return written_out(options[next(choices) % len(options)], choices)
        case Repeat(item, least, most):
            times = least + next(choices) % 3
            return "".join(written_out(item, choices) for _ in range(times if most is None else min(times, most)))
        case Flagged(_, item):
            return written_out(item, choices)
        case _:
            return ""
