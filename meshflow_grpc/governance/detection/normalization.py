# ruff: noqa: E501 - tables: one rule, one line
"""Undoing of look-alike tricks: every text is folded to the ASCII a reader sees, with the way back to the original places."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import accumulate

_LOOKALIKES = {
    "a": "аαɑａаᴀᎪ@ꭺ", "b": "ЬвʙᏏβ", "c": "сϲᴄⅽⲥ", "d": "ԁɗᴅⅾ", "e": "еєεҽᴇ℮", "f": "ғꜰſϝ", "g": "ɡԍɢᏀց", "h": "һнʜᏂհ", "i": "іιıɪӏⅰᎥ",
    "j": "јϳᴊյ", "k": "кκᴋᏦ", "l": "ⅼʟłӀ", "m": "мᴍⅿ", "n": "пոηɴն", "o": "оοσөᴏօøθ", "p": "рρᴘ", "q": "ԛգզ", "r": "гʀᴦ", "s": "ѕꜱʂտ", "t": "тτᴛ",
    "u": "υцᴜսʋ", "v": "νѵᴠⅴ", "w": "ѡωԝᴡա", "x": "хχⅹ", "y": "уγʏүყ", "z": "ᴢʐȥ",
    "A": "АΑᎪ", "B": "ВΒᏴ", "C": "СϹᏟ", "D": "Ꭰ", "E": "ЕΕᎬ", "F": "Ϝ", "G": "ԌᏀ", "H": "НΗᎻ", "I": "ІΙ", "J": "ЈᎫ", "K": "КΚᏦ", "L": "Ꮮ",
    "M": "МΜᎷ", "N": "Ν", "O": "ОΟՕ", "P": "РΡᏢ", "Q": "Ԛ", "R": "Ꭱ", "S": "ЅᏚ", "T": "ТΤᎢ", "U": "Ս", "V": "ѴᏙ", "W": "ԜᎳ", "X": "ХΧ",
    "Y": "УΥҮ", "Z": "ΖᏃ", "-": "‐‑‒–—−﹣", "'": "‘’‛ʼ′", '"': "“”„‟″", "/": "∕⁄", ".": "。．", ":": "：", " ": "\u00a0\u1680\u2028\u2029\u202f\u205f\u3000",
    "ss": "ß", "ae": "æ", "oe": "œ",
}  # fmt: skip
_INVISIBLE = (
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0x180B, 0x180E), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0),
    *range(0x300, 0x370), *range(0x483, 0x48A), *range(0x1AB0, 0x1B00), *range(0x1DC0, 0x1E00), *range(0x20D0, 0x2100), *range(0xFE20, 0xFE30),
)  # fmt: skip
_FOLD: dict[int, str | None] = {
    **{ord(char): plain for plain, chars in _LOOKALIKES.items() for char in chars if ord(char) > 127},
    **dict.fromkeys(_INVISIBLE),
    **{code: chr(code - 0xE0000) for code in range(0xE0020, 0xE007F)},
    **dict.fromkeys((0xE0001, 0xE007F)),
    **{base + letter: chr(97 + letter) for base in (0x1F150, 0x1F170, 0x1F1E6) for letter in range(26)},
}
_FOREIGN = re.compile("[^\x00-\x7f]+")
_SHORT = 4
_FEW = 12
_ASCII = bytes(range(128))
TYPOGRAPHIC = frozenset(
    map(
        chr,
        (
            *range(0xA0, 0xAA),
            *range(0xAB, 0xB5),
            *range(0xB6, 0xBA),
            *range(0xBB, 0xC0),
            *range(0x2010, 0x2028),
            *range(0x2030, 0x205F),
        ),
    )
)
"""Punctuation and signs that belong to no script."""
_LEET = str.maketrans("0134578@$!|", "oieastbasil")


def foreign(data: bytes) -> str:
    """The characters of UTF-8 data that are not ASCII, in their order."""
    return data.translate(None, _ASCII).decode("utf-8", "surrogatepass")


def fold(text: str, strange: str | None = None) -> str:
    """The ASCII-like reading of a text: compatibility forms, look-alikes, accents, tag and invisible characters resolved.

    ``strange`` is what is not ASCII in it, for those who know.
    """
    if strange is None:
        strange = foreign(text.encode("utf-8", "surrogatepass"))
    kinds = set(strange)
    if len(kinds) <= _FEW:
        plain = {char: _folded(char) for char in kinds}
        if all(map(str.isascii, plain.values())):
            for char, reading in plain.items():
                text = text.replace(char, reading)
            return text
    return _FOREIGN.sub(lambda run: _folded(run[0]), text)


def _folded(run: str) -> str:
    return _folded_short(run) if len(run) <= _SHORT else _fold_all(run)


def _fold_all(run: str) -> str:
    """ASCII characters neither change nor let marks pass, so that the runs between them are folded on their own."""
    return unicodedata.normalize("NFKD", run).translate(_FOLD)


_folded_short = lru_cache(maxsize=4096)(_fold_all)


def unleet(text: str) -> str:
    """Letters for the digits and signs that stand for them; the length stays."""
    return text.translate(_LEET)


class FoldedPlaces:
    """Maps spans of a folded text to the text it came from."""

    __slots__ = ("_ends",)

    def __init__(self, original: str) -> None:
        known: dict[str, int] = {}
        for char in set(original):
            known[char] = 1 if char < "\x80" else len(fold(char))
        self._ends = list(accumulate(map(known.__getitem__, original)))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The smallest original span that folds to a text covering the given one."""
        return bisect_right(self._ends, start), bisect_left(self._ends, end) + 1
