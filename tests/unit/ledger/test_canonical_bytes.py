"""Canonical bytes are RFC 8785 of the restricted model, and nothing else is accepted."""

from __future__ import annotations

import copy
import json
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.ledger.canonical import (
    MAX_DEPTH,
    MAX_INTEGER,
    NotCanonicalError,
    Written,
    decode,
    encode,
    encode_record,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner, max_size=4)
    ),
    max_leaves=20,
)


def reference(value: object) -> bytes:
    """RFC 8785 for the restricted model, by the standard library."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(VALUES)
def test_bytes_are_those_of_the_standard_librarys_canonical_form(value: object) -> None:
    """Encoding agrees with an independent encoder, and decoding gives the value back."""
    data = encode(value)
    assert data == reference(value)
    assert decode(data) == value


def test_every_character_is_escaped_as_rfc_8785_says() -> None:
    """All characters of the basic plane agree with the reference: control characters, quotes, separators, private use."""
    for code in (*range(0xD800), *range(0xE000, 0x11000)):
        assert encode(chr(code)) == reference(chr(code)), hex(code)


@given(VALUES, st.data())
def test_any_other_bytes_are_refused(value: object, data: st.DataObject) -> None:
    """Bytes that differ in white space, number form or order are not canonical even when they mean the same."""
    other = data.draw(
        st.sampled_from(
            [
                json.dumps(value, indent=1).encode() + b" ",
                reference(value) + b"\n",
                b" " + reference(value),
                b'{"b":1,"a":' + reference(value) + b"}",
                b'{"a":1,"a":' + reference(value) + b"}",
                b'{"a":1.0,"b":' + reference(value) + b"}",
                b'{"a":1e2,"b":' + reference(value) + b"}",
                b'{"a":-0,"b":' + reference(value) + b"}",
                b'{"a":"\\u0041","b":' + reference(value) + b"}",
                b'{"a":9007199254740992,"b":' + reference(value) + b"}",
            ]
        )
    )
    with pytest.raises(NotCanonicalError):
        decode(other)


class _Word(StrEnum):
    A = "a"


def test_read_only_containers_and_words_are_plain_json() -> None:
    """Mapping views, tuples and string enums encode as objects, arrays and strings."""
    assert encode(MappingProxyType({"b": (1, _Word.A), "a": {}})) == b'{"a":{},"b":[1,"a"]}'


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": {"b": [0, 1.5]}}, "value.a.b[1]"),
        ({"a": -(2**53)}, "value.a"),
        ({"a": {"ü": 1}}, "value.a"),
        ({1: 2}, "value"),
        ([b"x"], "value[0]"),
        ([float("inf")], "value[0]"),
        ("\udc00", "value"),
    ],
)
def test_the_place_of_a_bad_value_is_named(value: object, place: str) -> None:
    """The error names the field of what has no canonical form."""
    with pytest.raises(NotCanonicalError) as refusal:
        encode(value)
    assert refusal.value.violations[0].field == place


@pytest.mark.parametrize("field", ["facts", "change"])
def test_what_an_entry_says_of_itself_is_looked_at(field: str) -> None:
    """A record is encoded as any other value; a number that is not whole in its facts or its change is named."""
    record: dict[str, Any] = {"v": 1, "node_id": "é", "facts": {"labels": ["a"]}, "change": None}
    assert encode_record(record) == encode(record)
    record[field] = {"usage": {"steps": 1.5}}
    with pytest.raises(NotCanonicalError, match=rf"entry\.{field}\.usage\.steps"):
        encode_record(record)


def test_nesting_is_bounded() -> None:
    """A value nested too deep is refused, not a crash."""
    value: object = 1
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(NotCanonicalError, match="nested"):
        encode(value)


@given(st.lists(st.dictionaries(st.text("abc", max_size=3), st.integers(-9, 9) | TEXT, max_size=3), max_size=4))
def test_what_was_written_once_is_written_the_same(items: list[Any]) -> None:
    """Wherever it stands in a record, beside what has a slower way too; a copy of it is a plain list."""
    written = Written(items)
    for beside in ({}, {"tuple": (1, "é")}, {"kind": EntryKind.ERASURE}):
        assert encode({"a": [written], "b": written, **beside}) == encode({"a": [items], "b": items, **beside})
    assert type(copy.deepcopy(written)) is list
    assert copy.deepcopy(written) == written == items
