"""Canonical JSON (RFC 8785, restricted: ASCII keys, integers below 2^53, no floats), checked on bytes."""

from __future__ import annotations

import json
from typing import Any, NoReturn

_MAX_INTEGER = 2**53 - 1
_MAX_DEPTH = 64
_CONTAINERS = frozenset({dict, list})


class NotCanonicalError(ValueError):
    """Bytes are not canonical JSON."""


def _integer(text: str) -> int:
    if len(text) < 16:
        return int(text)
    value = int(text) if len(text) < 18 else _MAX_INTEGER + 1
    if not -_MAX_INTEGER <= value <= _MAX_INTEGER:
        message = "holds an integer of 2^53 or more"
        raise NotCanonicalError(message)
    return value


def _refuse(text: str) -> NoReturn:
    message = f"holds {text[:40]}, which is not an integer"
    raise NotCanonicalError(message)


_parse = json.JSONDecoder(parse_float=_refuse, parse_int=_integer, parse_constant=_refuse).raw_decode
_print = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def parse(data: bytes) -> Any:  # noqa: ANN401 - JSON of any shape
    """Returns what canonical bytes hold; raises NotCanonicalError saying what is wrong with others."""
    try:
        text = data.decode()
        value, _ = _parse(text)
        printed = _print(value)
    except NotCanonicalError:
        raise
    except (ValueError, RecursionError) as error:
        message = "is not JSON in UTF-8"
        raise NotCanonicalError(message) from error
    if printed != text:
        message = "is not in canonical form (RFC 8785)"
        raise NotCanonicalError(message)
    if not text.isascii() or text.count("[") + text.count("{") > _MAX_DEPTH:
        _check(value)
    return value


def parse_object(data: bytes) -> dict[str, Any]:
    """Returns the object that canonical bytes hold; raises NotCanonicalError for anything else."""
    value = parse(data)
    if not isinstance(value, dict):
        message = "is not a JSON object"
        raise NotCanonicalError(message)
    return value


def canonical(value: object) -> bytes:
    """Returns canonical bytes of built-in values of the restricted model."""
    return _print(value).encode()


def _check(value: object) -> None:
    """Checks keys and depth, level by level."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        inner: list[object] = []
        for item in level:
            if type(item) is dict:
                if not "".join(item).isascii():
                    message = "holds a key that is not ASCII"
                    raise NotCanonicalError(message)
                inner += [child for child in item.values() if type(child) in _CONTAINERS]
            elif type(item) is list:
                inner += [child for child in item if type(child) in _CONTAINERS]
        if not inner:
            return
        level = inner
    message = f"is nested deeper than {_MAX_DEPTH} levels"
    raise NotCanonicalError(message)
