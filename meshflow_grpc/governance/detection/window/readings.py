"""Every way in which the scanner may read a text: as it is, folded, unrotated, unleeted, closed up, and all of these mixed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence

from meshflow_grpc.governance.detection.encodings import closed_up_places
from meshflow_grpc.governance.detection.normalization import fold, unleet

Origins = Sequence[int] | None
"""For each character of a reading the place it comes from; None when that is its own place."""
Reading = tuple[str, Origins]
_DEEPEST = 3


def readings(text: str) -> list[Reading]:
    """All readings of a text, each once. Each grows as the text grows: what is cut off at a safe edge stays the beginning.

    More than the scanner makes: it looks for tricks only where a trigger says so, and the trigger may be still to come.
    """
    found: dict[str, Origins] = {}
    latest = list(_with_folds((text, None), found))
    for _ in range(_DEEPEST):
        latest = [
            further for reading in latest for turn in _TURNS for further in _with_folds(_turned(turn, reading), found)
        ]
    return list(found.items())


def _with_folds(reading: Reading, found: dict[str, Origins]) -> Iterator[Reading]:
    """The reading and its foldings, as far as they are new."""
    for text, origins in (reading, *_folded(reading)):
        if text not in found:
            found[text] = origins
            yield text, origins


def _folded(reading: Reading) -> Iterator[Reading]:
    """The folding of a text, and that of its mirror image where one character folds to several."""
    text, origins = reading
    if text.isascii():
        return
    pieces = [char if char < "\x80" else fold(char) for char in text]
    places = [place for place, piece in enumerate(pieces) for _ in piece]
    if origins is not None:
        places = [origins[place] for place in places]
    yield "".join(pieces), places
    yield "".join(piece[::-1] for piece in pieces), places


def _turned(turn: Callable[[str], Reading], reading: Reading) -> Reading:
    text, origins = reading
    turned, places = turn(text)
    if places is None:
        return turned, origins
    return turned, places if origins is None else [origins[place] for place in places]


def _rotated(text: str) -> Reading:
    return codecs.encode(text, "rot13"), None


def _unleeted(text: str) -> Reading:
    return unleet(text), None


def _closed_up(text: str) -> Reading:
    kept = closed_up_places(text)
    return (text, None) if len(kept) == len(text) else ("".join(text[place] for place in kept), kept)


_TURNS = (_rotated, _unleeted, _closed_up)

LETTERS = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0131\u0391-\u03c9\u0410-\u044f"
"""Characters that are letters in every reading."""
EDGE = re.compile(rf"[{LETTERS}]{{2}}[.,;:)\"'?]{{0,2}} |\n")
"""Where it ends a text can be cut without changing how either part is read: nothing closes up across it."""
