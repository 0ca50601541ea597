# ruff: noqa: E501, SIM905 - tables: one rule, one line
"""Decoders for text hidden in an encoding. Each finds its own blobs; what does not decode to readable text is left alone."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from meshflow_grpc.governance.detection.matcher import compile_pattern
from meshflow_grpc.governance.detection.normalization import unleet

_LONE_GAP = re.compile(r"(?<=\b\w)[^\w\n](?=\w\b)")
_MORSE = dict(zip(
    ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----.".split(),
    "abcdefghijklmnopqrstuvwxyz0123456789", strict=True,
))  # fmt: skip
_NO_CHARACTER = frozenset("ghijklmnopqrstuv+/-_")
"""What base64 of a text does not begin with: the first byte would be none that a character of UTF-8 begins with."""
_URL_SAFE = str.maketrans("-_", "+/")
_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2}))")


def readable(data: bytes) -> str | None:
    """The text in some bytes, if nearly all of it is printable or some kind of space; None otherwise."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    unprintable = sum(not (char.isprintable() or char.isspace()) for char in text)
    return text if len(text) >= 4 and unprintable * 10 <= len(text) else None


def _base64(blob: str) -> str | None:
    if blob[0] in _NO_CHARACTER:
        return None
    broken = blob.split()
    for candidate in ("".join(broken), broken[0]) if len(broken) > 1 else broken:
        body = candidate.rstrip("=").translate(_URL_SAFE)
        body = body[: len(body) - (len(body) % 4 == 1)]
        text = readable(binascii.a2b_base64(body + "=" * (-len(body) % 4)))
        if text is not None:
            return text
    return None


def _base32(blob: str) -> str | None:
    body = blob.rstrip("=")
    try:
        return readable(base64.b32decode(body + "=" * (-len(body) % 8)))
    except binascii.Error:
        return None


def _hex(blob: str) -> str | None:
    digits = re.sub(r"0x|\\x|[^0-9A-Fa-f]", "", blob)
    return readable(bytes.fromhex(digits[: len(digits) & ~1]))


def _percent(blob: str) -> str | None:
    return unquote_plus(blob, errors="replace")


def _escapes(blob: str) -> str | None:
    def char(match: re.Match[str]) -> str:
        code = int(next(filter(None, match.groups())), 16)
        return chr(code) if code <= 0x10FFFF else ""

    return _ESCAPE.sub(char, blob)


def _spaced(blob: str) -> str | None:
    """Letters written apart: one separator is nothing, a wider one (or none seen) is a word gap."""
    return _LONE_GAP.sub("", blob)


def closed_up_places(blob: str) -> list[int]:
    """For each character of the reading of letters written apart, its place in the blob."""
    gaps = {match.start() for match in _LONE_GAP.finditer(blob)}
    return [place for place in range(len(blob)) if place not in gaps]


def _binary(blob: str) -> str | None:
    return readable(bytes(int(octet, 2) for octet in re.findall(r"[01]{8}", blob)))


def _morse(blob: str) -> str | None:
    words = re.split(r"\s*[/|]\s*|\s{2,}", blob.strip())
    return " ".join("".join(_MORSE.get(letter, "") for letter in word.split()) for word in words)


def _ascii85(blob: str) -> str | None:
    try:
        return readable(base64.a85decode(blob, adobe=True))
    except ValueError:
        return None


def _variation_selectors(blob: str) -> str | None:
    return readable(bytes(code - 0xFE00 if code < 0xFE10 else code - 0xE0100 + 16 for code in map(ord, blob)))


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoding: what a blob looks like, and its reading.

    `alignment` says where a place in the reading lies in the blob: "blob" (somewhere in it), "same", "mirrored" or
    "closed_up" (at its own character, gaps aside).
    An `attacks_only` reading is too loose to look for data in.
    """

    layer: str
    blob: Any
    decode: Callable[[str], str | None]
    trigger: str
    alignment: str = "blob"
    attacks_only: bool = False

    def blobs(self, data: bytes) -> Iterator[tuple[int, int, str]]:
        """Start, end (bytes) and reading of each blob that can be read."""
        for match in self.blob.finditer(data):
            start, end = match.span()
            text = self.decode(data[start:end].decode(errors="replace"))
            if text:
                yield start, end, text


def _encoding(layer: str, pattern: str, decode: Callable[[str], str | None], trigger: str) -> Encoding:
    return Encoding(layer, compile_pattern(pattern), decode, trigger)


def _trick(
    layer: str, decode: Callable[[str], str | None], trigger: str, alignment: str = "same", pattern: str = r"(?s:.+)"
) -> Encoding:
    return Encoding(layer, compile_pattern(pattern), decode, trigger, alignment, attacks_only=True)


ASCII_ENCODINGS = (
    _encoding("url", r"[^\s<>\"']*%[0-9A-Fa-f]{2}[^\s<>\"']*", _percent, r"%[0-9A-Fa-f]{2}"),
    _encoding("html_entity", r"(?:[^\n<>&]{0,60}&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,10});)+[^\n<>&]{0,60}", html.unescape, r"&#[xX]?[0-9A-Fa-f]{2}"),
    _encoding("unicode_escape", r"(?:[^\n\\]{0,60}\\(?:u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]{1,6}\}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}))+[^\n\\]{0,60}", _escapes, r"\\(?:u[0-9A-Fa-f]{4}|u\{|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2})"),
    _encoding("binary", r"(?:[01]{8}[ ,\n]{0,2}){5,}", _binary, r"[01]{8}[ ,]?[01]{8}[ ,]?[01]{8}"),
    _encoding("ascii85", r"<~[!-uz\s]{10,}~>", _ascii85, r"<~[!-uz]"),
    _trick("morse", _morse, r"(?:[.-]{1,5}[ /|]{1,3}){3}[.-]{1,5}[ /|]", "blob", r"(?:[.-]{1,6}[ /|\n]{1,4}){12,}[.-]{0,6}"),
    _trick("spaced", _spaced, r"\b[A-Za-z][ ._*|,/~-]{1,3}[A-Za-z][ ._*|,/~-]{1,3}[A-Za-z][ ._*|,/~-]{1,3}[A-Za-z][ ._*|,/~-]{1,3}[A-Za-z]\b",
           "closed_up", r"[^\n]*(?:\b[A-Za-z0-9][^A-Za-z0-9\n]{1,3}){4,}[A-Za-z0-9]\b[^\n]*"),
    _trick("rot13", lambda blob: codecs.decode(blob, "rot13"), r"(?i:vtaber|vafgehpgvba|cerivbhf|cebzcg|flfgrz|qvfertneq|erirny|cnffjbeq|sbetrg|bireevqr|perqragvny|frperg)"),
    _trick("reversed", lambda blob: blob[::-1], r"(?i:snoitcurtsni|suoiverp|erongi|tpmorp|dragersid|laever|drowssap|edirrevo)", "mirrored"),
    _trick("leet", unleet, r"(?i:\b[1!|]gn[o0]r|[a-z][013457@$][a-z])"),
    # Runs, whose triggers count: together, and apart from the others (see rule_set).
    _encoding("base64", r"[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*={0,2}", _base64, r"[A-Za-z0-9+/_-]{16}"),
    _encoding("base32", r"\b[A-Z2-7]{24,}={0,6}", _base32, r"\b[A-Z2-7]{24}"),
    _encoding("hex", r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ :,-]{0,2}){10,}", _hex, r"[0-9A-Fa-f]{2}[ :,-]?[0-9A-Fa-f]{2}[ :,-]?[0-9A-Fa-f]{2}[ :,-]?[0-9A-Fa-f]{2}[ :,-]?[0-9A-Fa-f]{2}[ :,-]?[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2}\\x|0x[0-9A-Fa-f]{2}[ ,]"),
)  # fmt: skip
VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")


def hidden_bytes(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end (code points) and reading of text smuggled in runs of variation selectors."""
    for match in VARIATION_SELECTORS.finditer(text):
        decoded = _variation_selectors(match.group())
        if decoded:
            yield match.start(), match.end(), decoded
