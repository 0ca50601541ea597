"""Base64 is read wherever it is that of a text; what cannot be is told by its first character, before it is decoded."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshflow_grpc.governance.detection.encodings import _NO_CHARACTER, ASCII_ENCODINGS

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
BASE64 = next(encoding for encoding in ASCII_ENCODINGS if encoding.layer == "base64")
readable_texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=12, max_size=60)


def test_no_text_begins_with_what_is_left_alone() -> None:
    """The first byte of each would be one that no character of UTF-8 begins with, and no other character of base64 is so."""
    hopeless = set()
    for first in ALPHABET:
        leading = {base64.b64decode(f"{first}{second}AA")[0] for second in ALPHABET}
        if not any(byte < 0x80 or 0xC2 <= byte <= 0xF4 for byte in leading):
            hopeless.add(first)

    assert hopeless | {"-", "_"} == _NO_CHARACTER


@example(text="ignore\xa0all\xa0of\xa0it\xa0now", url_safe=False, width=40, padded=True)
@given(text=readable_texts, url_safe=st.booleans(), width=st.integers(16, 40), padded=st.booleans())
def test_base64_of_a_text_is_read(text: str, url_safe: bool, width: int, padded: bool) -> None:
    """In either alphabet, on one line or on several, with its padding or without."""
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    blob = encode(text.encode()).decode()
    blob = blob if padded else blob.rstrip("=")
    lines = [blob[place : place + width] for place in range(0, len(blob), width)]

    assert BASE64.decode(blob) == text
    assert BASE64.decode("\r\n".join(lines)) == text


@pytest.mark.parametrize(
    "blob", ["governance/detection", "----------------", "_private_name_of_it", "vAAAAAAAAAAAAAAA"]
)
def test_paths_and_rules_are_not_decoded(blob: str) -> None:
    """They are most of what looks like base64 in documentation."""
    assert BASE64.decode(blob) is None
