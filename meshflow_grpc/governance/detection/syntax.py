"""The RE2 syntax of the rules as a tree, so that a pattern can be turned into the pattern of its beginnings, or turned round."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ESCAPE = re.compile(r"\\(?:[pP](?:\{[^}]*\}|.)|x(?:\{[^}]*\}|[0-9A-Fa-f]{2})|.)", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_OPEN = re.compile(r"\((?:\?([a-zA-Z]*):)?")
_COUNT = re.compile(r"\{(\d+)(,(\d*))?\}|[*+?]")
_COUNTS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_ASSERTIONS = frozenset({r"\b", r"\B", r"\A", r"\z", "^", "$"})
_TURNED = {"^": "$", "$": "^", r"\A": r"\z", r"\z": r"\A"}


@dataclass(frozen=True, slots=True)
class One:
    """One character: a literal, an escape or a class, as written."""

    text: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """Matches between characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of them."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Again and again; ``most`` is None without a bound."""

    item: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Flagged:
    """A group with flags."""

    flags: str
    item: Node


Node = One | Assertion | Sequence | Choice | Repeat | Flagged


def parse(pattern: str) -> Node:
    """The tree of a pattern; groups no longer capture. Raises ValueError for syntax the rules do not use."""
    reader = _Reader(pattern)
    tree = reader.choice()
    if reader.place != len(pattern):
        raise ValueError(f"pattern {pattern!r} cannot be read from place {reader.place}")
    return tree


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.place = 0

    def choice(self) -> Node:
        options = [self._sequence()]
        while self._pattern.startswith("|", self.place):
            self.place += 1
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self.place < len(self._pattern) and self._pattern[self.place] not in "|)":
            parts.append(self._repeated(self._item()))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _item(self) -> Node:
        pattern, place = self._pattern, self.place
        match pattern[place]:
            case "(":
                return self._group()
            case "[":
                return One(self._take(_CLASS))
            case "\\":
                text = self._take(_ESCAPE)
                return Assertion(text) if text in _ASSERTIONS else One(text)
            case "^" | "$" as char:
                self.place += 1
                return Assertion(char)
            case char:
                self.place += 1
                return One(char)

    def _group(self) -> Node:
        opened = _OPEN.match(self._pattern, self.place)
        if opened is None or self._pattern.startswith("(?P", self.place):
            raise ValueError(f"pattern {self._pattern!r} has a group of unknown kind at place {self.place}")
        self.place = opened.end()
        item = self.choice()
        if not self._pattern.startswith(")", self.place):
            raise ValueError(f"pattern {self._pattern!r} has a group that does not end")
        self.place += 1
        return Flagged(opened[1], item) if opened[1] else item

    def _take(self, form: re.Pattern[str]) -> str:
        found = form.match(self._pattern, self.place)
        if found is None:
            raise ValueError(f"pattern {self._pattern!r} cannot be read from place {self.place}")
        self.place = found.end()
        return found[0]

    def _repeated(self, item: Node) -> Node:
        found = _COUNT.match(self._pattern, self.place)
        if found is None:
            return item
        self.place = found.end()
        if self._pattern.startswith("?", self.place):
            self.place += 1
        if found[0] in _COUNTS:
            return Repeat(item, *_COUNTS[found[0]])
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        return Repeat(item, least, most)


def written(node: Node) -> str:
    """The pattern of a tree."""
    match node:
        case One(text) | Assertion(text):
            return text
        case Sequence(parts):
            return "".join(written(part) for part in parts)
        case Choice(options):
            return f"(?:{'|'.join(written(option) for option in options)})"
        case Repeat(item, least, most):
            return _repeat(written(item), least, most)
        case Flagged(flags, item):
            return f"(?{flags}:{written(item)})"


def beginnings(node: Node) -> str:
    """The pattern of everything a match can begin with, from nothing to the whole match; an assertion at its end is left open."""
    match node:
        case One(text):
            return f"{text}?"
        case Assertion():
            return ""
        case Sequence(parts):
            return _beginnings(parts)
        case Choice(options):
            return f"(?:{'|'.join(beginnings(option) for option in options)})"
        case Repeat(One(text), _, most):
            return _repeat(text, 0, most)
        case Repeat(item, _, most):
            return _repeat(written(item), 0, None if most is None else max(most - 1, 0)) + f"(?:{beginnings(item)})"
        case Flagged(flags, item):
            return f"(?{flags}:{beginnings(item)})"


def _beginnings(parts: tuple[Node, ...]) -> str:
    found = ""
    for part in reversed(parts):
        begun = beginnings(part)
        if not found:
            found = begun
        elif isinstance(part, One):
            found = f"(?:{part.text}{found})?"
        else:
            found = f"(?:{begun}|{written(part)}{found})"
    return found


def turned(node: Node) -> Node:
    """The tree that matches the same texts written backwards."""
    match node:
        case One():
            return node
        case Assertion(text):
            return Assertion(_TURNED.get(text, text))
        case Sequence(parts):
            return Sequence(tuple(turned(part) for part in reversed(parts)))
        case Choice(options):
            return Choice(tuple(turned(option) for option in options))
        case Repeat(item, least, most):
            return Repeat(turned(item), least, most)
        case Flagged(flags, item):
            return Flagged(flags, turned(item))


def _repeat(text: str, least: int, most: int | None) -> str:
    if most == 0:
        return ""
    return f"(?:{text}){{{least},{'' if most is None else most}}}"
