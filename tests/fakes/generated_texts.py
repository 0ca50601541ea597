"""Texts that a rule's pattern matches, drawn from all that its classes, options and repeats allow."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from meshflow_grpc.governance.detection.matcher import compile_pattern
from meshflow_grpc.governance.detection.syntax import Choice, Flagged, Node, One, Repeat, Sequence

if TYPE_CHECKING:
    from random import Random

_OPEN_END = 4
_FEW = 60


@cache
def _alphabets(one: str, flags: str) -> tuple[bytes, bytes]:
    """The bytes that a class or escape matches, and those of them that are neither letters nor digits."""
    pattern = compile_pattern(f"(?{flags}:{one})" if flags else one)
    every = bytes(code for code in range(256) if pattern.fullmatch(bytes([code])))
    return every, bytes(code for code in every if not bytes([code]).isalnum()) or every


def generated(node: Node, chance: Random, flags: str = "") -> bytes:
    """A text of the tree's language; what its assertions ask for is left to luck."""
    match node:
        case One(text):
            return bytes([chance.choice(_alphabets(text, flags)[chance.random() < 0.2])])
        case Sequence(parts):
            return b"".join(generated(part, chance, flags) for part in parts)
        case Choice(options):
            return generated(chance.choice(options), chance, flags)
        case Repeat(item, least, most):
            times = _times(chance, least, least + _OPEN_END if most is None else most)
            return b"".join(generated(item, chance, flags) for _ in range(times))
        case Flagged(inner, item):
            return generated(item, chance, inner)
        case _:
            return b""


def _times(chance: Random, least: int, most: int) -> int:
    """Often the fewest, at times the most, else anything: the ends are where a shorter pattern goes wrong."""
    kind = chance.random()
    if kind < 0.45:
        return least
    if kind < 0.55 and most < _FEW:
        return most
    return min(most, least + chance.randrange(4)) if kind < 0.85 else chance.randint(least, most)
