"""Canonical bytes of a record: RFC 8785 JSON, restricted so that every JSON library agrees on them.

Allowed: objects with ASCII keys, arrays, strings without lone surrogates, integers with a magnitude below 2^53, booleans,
null. No floats: money is in nano-units. With ASCII keys, sorting by UTF-8 and by UTF-16 (RFC 8785 section 3.2.3) agree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import orjson

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshflow_grpc.domain.json_value import JsonValue

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 64  # of what is written; deeper records are still verified

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_SUBCLASS
_PLAIN = frozenset({str, bool, type(None)})
_LEAVES = _PLAIN | {int}
_MAYBE_FLOAT = re.compile(rb"[:,\[]-?[0-9]+[.eE]").search


class NotCanonicalError(InvalidRequestError):
    """A value has no canonical form, or bytes are not in it; ``violations`` names the field."""

    @classmethod
    def at(cls, field: str, description: str) -> NotCanonicalError:
        """Builds the error for one field."""
        return cls(f"{field}: {description}", violations=(FieldViolation(field, description),))


class Written(list["JsonValue"]):
    """A list that many records hold as it is, written once. Nobody may change it."""

    __slots__ = ("fragment",)

    def __init__(self, items: Iterable[JsonValue]) -> None:
        super().__init__(items)
        self.fragment = orjson.Fragment(encode([*self]))

    def __reduce__(self) -> tuple[type[list[JsonValue]], tuple[list[JsonValue]]]:
        return list, ([*self],)


def encode(value: object, field: str = "value") -> bytes:
    """Returns the canonical bytes of a value; raises NotCanonicalError naming the place below ``field``."""
    return _encode(value, field, _plain(value, 0))


def encode_record(record: dict[str, JsonValue]) -> bytes:
    """The same for an entry's record, of which only ``change`` and ``facts`` may hold anything; its other fields have their types."""
    return _encode(record, "entry", _plain(record["facts"], 1) and _plain(record["change"], 1))


def _encode(value: object, field: str, plain: bool) -> bytes:
    if not plain:
        _check(value, field, 0)
    try:
        data = orjson.dumps(value, _plain_container, _OPTIONS)
    except (orjson.JSONEncodeError, TypeError) as error:
        _check(value, field, 0)
        raise NotCanonicalError.at(field, str(error)) from error
    # What is not ASCII is written as it is, so ASCII bytes have ASCII keys.
    if plain and not data.isascii():
        _check(value, field, 0)
    return data


def decode(data: bytes, field: str = "record") -> JsonValue:
    """Parses bytes; raises NotCanonicalError unless they are the canonical bytes of what they hold."""
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NotCanonicalError.at(field, "is not JSON") from error
    # A record that is nested deeper than the walk goes is judged by its bytes; what they cannot rule out, encode refuses.
    plain = data.isascii() and (_plain(value, 0) or not _MAYBE_FLOAT(data))
    if (encode_plain(value, field) if plain else encode(value, field)) != data:
        raise NotCanonicalError.at(field, "is not in canonical form (RFC 8785)")
    return value


def encode_plain(value: JsonValue, field: str = "record") -> bytes:
    """Returns the canonical bytes of what was parsed from ASCII bytes and holds no fraction; raises NotCanonicalError."""
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except orjson.JSONEncodeError as error:
        raise NotCanonicalError.at(field, str(error)) from error


def is_plain(value: object) -> bool:
    """Whether a value in a record needs no further look than the encoder's: it holds no fraction, and ends where others do."""
    return _plain(value, 1)


def _plain(value: object, depth: int) -> bool:
    """Whether a value is made of built-in types of the model. The encoder itself checks integers, strings and types of keys."""
    if type(value) is dict:
        items: Iterable[object] = value.values()
    elif type(value) is list:
        items = value
    else:
        return type(value) in _LEAVES or type(value) is Written
    if depth >= MAX_DEPTH:
        return False
    for item in items:  # noqa: SIM110 - a generator costs twice as much here
        if type(item) not in _LEAVES and not _plain(item, depth + 1):
            return False
    return True


def _check(value: object, field: str, depth: int) -> None:
    """Raises NotCanonicalError, naming the place, unless the value is in the model; slower than ``_plain``, and says why."""
    if type(value) in _PLAIN or (type(value) is int and -MAX_INTEGER <= value <= MAX_INTEGER):
        return
    if type(value) is int:
        raise NotCanonicalError.at(field, "integers must be between -(2^53 - 1) and 2^53 - 1")
    if depth >= MAX_DEPTH:
        raise NotCanonicalError.at(field, f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        _check_object(value, field, depth)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, f"{field}[{index}]", depth + 1)
    elif not isinstance(value, str):
        raise NotCanonicalError.at(
            field, f"{type(value).__name__} is not allowed; use strings, integers, booleans, null, arrays and objects"
        )


def _check_object(value: Mapping[object, object], field: str, depth: int) -> None:
    for key, item in value.items():
        if type(key) is not str or not key.isascii():
            raise NotCanonicalError.at(field, f"the key {key!r} must be an ASCII string")
        if type(item) not in _PLAIN:
            _check(item, f"{field}.{key}", depth + 1)


def _plain_container(value: object) -> object:
    """Turns a read-only mapping or sequence, or a text of a type of its own, into what the encoder knows."""
    if type(value) is Written:
        return value.fragment
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not allowed")
