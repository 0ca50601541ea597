"""The names of a client certificate as Envoy forwards them (x-forwarded-client-cert)."""

from __future__ import annotations

from typing import Final

HEADER: Final = "x-forwarded-client-cert"
PROOF_HEADER: Final = "x-meshflow-proxy-proof"


def forwarded_names(text: str) -> dict[str, tuple[str, ...]]:
    """Returns the values of each key, in lower case, of the one certificate that is forwarded.

    Raises ValueError for a text that is not of this form, or that tells of several certificates (a chain of proxies).
    """
    found: dict[str, tuple[str, ...]] = {}
    at = 0
    while at < len(text):
        key, separator, _ = text[at:].partition("=")
        if not separator or not key.isalpha():
            raise ValueError("a key and = are expected")
        value, at = _value(text, at + len(key) + 1)
        found[key.lower()] = (*found.get(key.lower(), ()), value)
        if at < len(text) and text[at] != ";":
            raise ValueError("more than one certificate, or text after a quoted value")
        at += 1
    return found


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins there, and where it ends; it is quoted when it has a comma, a semicolon or an equals sign."""
    if not text.startswith('"', at):
        end = min((found for found in (text.find(";", at), text.find(",", at)) if found >= 0), default=len(text))
        return text[at:end], end
    characters: list[str] = []
    at += 1
    while at < len(text):
        if text[at] == '"':
            return "".join(characters), at + 1
        if text[at] == "\\":
            at += 1
        characters.append(text[at : at + 1])
        at += 1
    raise ValueError("a quoted value does not end")
