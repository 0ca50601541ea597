"""The automata of the output window, compiled from the rules and encodings of the scanner once per process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from meshflow_grpc.governance.detection.encodings import ASCII_ENCODINGS, Encoding
from meshflow_grpc.governance.detection.finding import OUTPUT_LEAKS
from meshflow_grpc.governance.detection.matcher import compile_pattern
from meshflow_grpc.governance.detection.rule import Rule
from meshflow_grpc.governance.detection.scanner import ATTACK_RULES
from meshflow_grpc.governance.detection.syntax import Node, beginnings, parse, turned, written
from meshflow_grpc.governance.detection.world_attack_rules import WORLD_NATIVE_ATTACKS

# Readings of a whole text or line: made of every text (see readings), whether or not their trigger occurs.
TURNS = frozenset({"rot13", "reversed", "leet", "spaced"})
# Encodings whose blobs take in the plain words around them: the first of these ends the release.
WIDE = frozenset({"html_entity", "unicode_escape"})
# Encodings whose blobs end at a gap: each is read when it is complete.
NARROW = frozenset({"base64", "base32", "hex", "url", "binary", "ascii85", "morse"})


@dataclass(frozen=True, slots=True)
class Automata:
    """Where the first match of some patterns starts, and where the first one that may still be coming.

    One automaton for each pattern: together they would meet new states in every new text.
    """

    whole: tuple[Any, ...]
    begun: tuple[Any, ...]

    @classmethod
    def of(cls, trees: Iterable[Node], *, utf8: bool = False) -> Automata:
        """Compiles them."""
        known = tuple(trees)
        whole = tuple(compile_pattern(written(tree), utf8) for tree in known)
        begun = tuple(compile_pattern(f"(?:{beginnings(tree)})\\z", utf8) for tree in known)
        return cls(whole, begun)

    def coming(self, data: bytes) -> int:
        """The least place from where the end of the text may be part of a match, given some continuation; else its length."""
        places: list[int] = [begun.search(data).start() for begun in self.begun]
        return min(places)

    def first(self, data: bytes) -> int:
        """The least place where a match starts, complete or still coming; the length of the text when there is none."""
        found = (whole.search(data) for whole in self.whole)
        places: list[int] = [match.start() for match in found if match is not None]
        return min([*places, self.coming(data)])


Pair = tuple[Automata, Automata]
"""For a text and for its mirror image; both run over the text itself."""


@dataclass(frozen=True, slots=True)
class WindowAutomata:
    """What is run over each reading: ``native`` over those that are not ASCII."""

    leaks: Pair
    native: Pair
    blobs: Pair
    narrow: tuple[Encoding, ...]

    @classmethod
    @cache
    def compiled(cls) -> WindowAutomata:
        """Takes a fraction of a second. Raises ValueError for an encoding that is of no known kind."""
        kinds = {encoding.layer: encoding for encoding in ASCII_ENCODINGS}
        unknown = kinds.keys() - TURNS - WIDE - NARROW
        if unknown:
            raise ValueError(f"the output window does not know the encodings {', '.join(sorted(unknown))}")
        wide = [_blob(kinds[layer]) for layer in sorted(WIDE & kinds.keys())]
        narrow = tuple(kinds[layer] for layer in sorted(NARROW & kinds.keys()))
        return cls(
            leaks=_both_ways([*_leaks(ATTACK_RULES), *wide]),
            native=_both_ways(_leaks(WORLD_NATIVE_ATTACKS), utf8=True),
            blobs=_both_ways(map(_blob, narrow)),
            narrow=narrow,
        )


def _both_ways(trees: Iterable[Node], *, utf8: bool = False) -> Pair:
    known = tuple(trees)
    return Automata.of(known, utf8=utf8), Automata.of(map(turned, known), utf8=utf8)


def _leaks(rules: Iterable[Rule]) -> list[Node]:
    """The rules for which the guardian refuses an output."""
    return [parse(rule.pattern) for rule in rules if rule.category in OUTPUT_LEAKS and rule.direction in ("", "output")]


def _blob(encoding: Encoding) -> Node:
    return parse(encoding.blob.pattern.decode("latin-1"))
