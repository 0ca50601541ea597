"""One thing wrong with a workflow, and where it is."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_OPTIONS = 256
_LONGEST_WORD = 80

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at ``path``. ``at_key``: the key itself is at fault, not its value."""

    path: Path
    message: str
    at_key: bool = False


def dotted(path: Path) -> str:
    """Returns a path as people write it: ``edges[2].condition``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Returns ``"; did you mean 'x'?"`` for the nearest option; else the options when they are few; else nothing."""
    names = sorted(set(options))
    if len(names) > _MOST_OPTIONS:
        return ""
    near = difflib.get_close_matches(word[:_LONGEST_WORD], names, n=1, cutoff=0.6) or [
        name for name in names if name.lower() == word.lower()
    ]
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; expected one of {', '.join(names)}" if 0 < len(names) <= 24 else ""
