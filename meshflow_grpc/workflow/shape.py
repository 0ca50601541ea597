"""Checks a plain value against the part of JSON Schema that ``schema`` uses, and says every problem in words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from meshflow_grpc.workflow.problem import Path, Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshflow_grpc.workflow.schema import Schema

_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_NESTING_LIMIT = 64
_QUOTE_HINT = ' (put it in quotes: "...")'
_KEY_RULE = "has the key {!r}, which is not text"


def type_name(value: object) -> str:
    """Returns the JSON type of a value, or its Python type when it has none."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((int, "integer"), (float, "number"), (str, "string"), (Mapping, "object")):
        if isinstance(value, kind):
            return name
    return (
        "array"
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray)
        else f"Python {type(value).__name__}"
    )


def check(value: object, schema: Schema, path: Path = ()) -> Iterator[Problem]:
    """Yields every problem of a value. A schema without ``type`` takes any JSON value."""
    if "properties" not in schema and "oneOf" in schema:
        schema = next((option for option in schema["oneOf"] if option["type"] == type_name(value)), schema["oneOf"][-1])
    expected = schema.get("type")
    found = type_name(value)
    if expected is None:
        yield from _check_json(value, path)
    elif found != expected and not (expected == "number" and found == "integer"):
        hint = _QUOTE_HINT if expected == "string" and found in {"integer", "number", "boolean"} else ""
        yield Problem(path, f"must be {_WORDS[expected]}, not {_WORDS.get(found, found)}{hint}")
    elif isinstance(value, Mapping):
        yield from _check_object(value, schema, path)
    elif isinstance(value, str):
        yield from _check_text(value, schema, path)
    elif isinstance(value, int | float):
        yield from _check_number(value, schema, path)
    elif isinstance(value, Sequence):
        yield from _check_list(value, schema, path)


def _check_object(value: Mapping[object, object], schema: Schema, path: Path) -> Iterator[Problem]:
    if "properties" not in schema and "propertyNames" not in schema:
        yield from _check_json(value, path)
        return
    yield from _check_size(len(value), schema, path)
    for key, item in value.items():
        if isinstance(key, str):
            yield from _check_entry(key, item, schema, path)
        else:
            yield Problem(path, _KEY_RULE.format(key))
    for key in schema.get("required", ()):
        if key not in value:
            yield Problem(path, f"needs {key!r}")
    choices = [option["required"][0] for option in schema.get("oneOf", ())]
    if choices and sum(key in value for key in choices) != 1:
        yield Problem(path, f"needs exactly one of {' and '.join(repr(key) for key in choices)}")


def _check_entry(key: str, item: object, schema: Schema, path: Path) -> Iterator[Problem]:
    properties = schema.get("properties")
    if properties is None:
        if not _matches(schema["propertyNames"]["pattern"], key):
            yield Problem((*path, key), _name_rule(key), at_key=True)
    elif key in properties:
        yield from check(item, properties[key], (*path, key))
    else:
        yield Problem((*path, key), f"unknown key {key!r}{did_you_mean(key, properties)}", at_key=True)


def _check_size(size: int, schema: Schema, path: Path) -> Iterator[Problem]:
    if size < schema.get("minProperties", 0):
        yield Problem(path, "must not be empty")
    if size > schema.get("maxProperties", size):
        yield Problem(path, f"has {size} entries, at most {schema['maxProperties']} are allowed")


def _check_text(value: str, schema: Schema, path: Path) -> Iterator[Problem]:
    if "enum" in schema and value not in schema["enum"]:
        yield Problem(path, f"{value!r} is not a value of this field{did_you_mean(value, schema['enum'])}")
    if len(value) < schema.get("minLength", 0):
        yield Problem(path, "must not be empty")
    if len(value) > schema.get("maxLength", len(value)):
        yield Problem(path, f"has {len(value)} characters, at most {schema['maxLength']} are allowed")
    if "pattern" in schema and not _matches(schema["pattern"], value):
        yield Problem(path, _name_rule(value) if path and path[-1] == "name" else _pattern_rule(value, path))
    yield from _check_unicode(value, path)


def _check_number(value: float, schema: Schema, path: Path) -> Iterator[Problem]:
    if not abs(value) < math.inf:
        yield Problem(path, "must be a finite number")
    elif not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield Problem(path, f"must be between {schema['minimum']} and {schema['maximum']}, not {value}")


def _check_list(value: Sequence[object], schema: Schema, path: Path) -> Iterator[Problem]:
    if len(value) > schema.get("maxItems", len(value)):
        yield Problem(path, f"has {len(value)} items, at most {schema['maxItems']} are allowed")
        return
    for position, item in enumerate(value):
        yield from check(item, schema.get("items", {}), (*path, position))


def _check_json(value: object, path: Path, depth: int = 0) -> Iterator[Problem]:
    """Any JSON value: text keys, finite numbers, valid Unicode, bounded depth."""
    if depth > _NESTING_LIMIT:
        yield Problem(path, f"is nested deeper than {_NESTING_LIMIT} levels")
    elif isinstance(value, str):
        yield from _check_unicode(value, path)
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem(path, "must be a finite number")
    elif type_name(value) not in _WORDS:
        yield Problem(path, f"must be a JSON value, not {type_name(value)}")
    else:
        yield from _check_children(value, path, depth)


def _check_children(value: object, path: Path, depth: int) -> Iterator[Problem]:
    if isinstance(value, Mapping):
        yield from (Problem(path, _KEY_RULE.format(key)) for key in value if not isinstance(key, str))
        children: Iterable[tuple[str | int, object]] = [(k, item) for k, item in value.items() if isinstance(k, str)]
    else:
        children = enumerate(value) if isinstance(value, Sequence) else ()
    for key, item in children:
        yield from _check_json(item, (*path, key), depth + 1)


def _check_unicode(value: str, path: Path) -> Iterator[Problem]:
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        yield Problem(path, "holds a lone surrogate, which is not valid Unicode")


def _matches(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value) is not None


def _name_rule(value: str) -> str:
    shown = value if len(value) <= 80 else f"{value[:77]}..."
    rule = "1 to 64 of A-Z a-z 0-9 _ -, first a letter, last not '-' (a workflow's name may hold '.')"
    return f"{shown!r} is not a valid name: {rule}"


def _pattern_rule(value: str, path: Path) -> str:
    rule = "must look like 'a -> b'" if path and isinstance(path[-1], int) else "must be an http:// or https:// address"
    return f"{rule}, not {value[:80]!r}"
