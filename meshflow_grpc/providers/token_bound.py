"""How many tokens a text can have at most, without a tokenizer."""

from __future__ import annotations

# Role markers and separators that a provider adds around one part of a request.
FRAMING_TOKENS = 32


def max_tokens_of(text: str) -> int:
    """Upper bound of the tokens of a text: its UTF-8 bytes, since a token of a byte-level vocabulary stands for at least one.

    The framing of a message part is included. English prose has about four bytes to a token, so the bound is some four times
    what the provider will count: a budget is held too high and settled to the true count, never exceeded.
    """
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return size + FRAMING_TOKENS
