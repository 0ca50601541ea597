"""YAML text to plain values with the place of each, within limits, reporting every problem it can recover from.

Plain scalars are read by the YAML 1.2 core schema: ``true``/``false``, ``null``, integers and decimal numbers; all else
is text (``no`` and ``2024-01-01`` are text).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from meshflow_grpc.workflow.problem import Path, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1_048_576
MAX_DEPTH = 64
MAX_VALUES = 400_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_DOT_WORD = re.compile(r"\.(?=[inIN])")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_MAX_DIGITS = 400
_KEY = "<key>"


class YamlSyntaxError(ValueError):
    """The text is not YAML, or exceeds a limit; ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(slots=True)
class YamlTree:
    """Plain values and the (line, column) of every value and key by path, counted from 1."""

    value: Any = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    key_places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, Any] = field(default_factory=dict)
    values: int = 0

    def place(self, path: Path, *, at_key: bool = False) -> tuple[int, int]:
        """Returns the place of a path, or of the nearest path above it that has one."""
        if at_key and path in self.key_places:
            return self.key_places[path]
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def parse_scalar(text: str) -> str | int | float | bool | None:
    """Reads a plain scalar by the core schema."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) <= _MAX_DIGITS:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text):
            return float(_DOT_WORD.sub("", text))
    return text


def parse_yaml(text: str) -> YamlTree:
    """Reads one document; raises YamlSyntaxError for text that is not YAML or is too large, too deep or too many."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise YamlSyntaxError(f"the document is larger than {MAX_BYTES} bytes")
    tree = YamlTree()
    try:
        events = iter(yaml.parse(text, Loader=_LOADER))
        _read_document(tree, events)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlSyntaxError(f"not YAML: {message}", *_at(mark)) from error
    except yaml.YAMLError as error:
        raise YamlSyntaxError(f"not YAML: {' '.join(str(error).split())}") from error
    return tree


def _at(mark: Any) -> tuple[int, int]:  # noqa: ANN401 - the parser's mark has no public type
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _read_document(tree: YamlTree, events: Iterator[Any]) -> None:
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise YamlSyntaxError("holds a second document; one workflow per file", *_at(event.start_mark))
            tree.value = _read(tree, next(events), events, (), 0)
    if documents == 0:
        raise YamlSyntaxError("the document is empty")


def _read(tree: YamlTree, event: Any, events: Iterator[Any], path: Path, depth: int) -> Any:  # noqa: ANN401 - YAML holds any value
    place = _at(event.start_mark)
    tree.places[path] = place
    _spend(tree, 1, place)
    if depth > MAX_DEPTH:
        raise YamlSyntaxError(f"is nested deeper than {MAX_DEPTH} levels", *place)
    if isinstance(event, yaml.AliasEvent):
        return _alias(tree, event, path, depth)
    before = tree.values
    if event.tag is not None:
        tree.problems.append(Problem(path, f"has the tag {event.tag!r}; tags are not allowed"))
    if isinstance(event, yaml.ScalarEvent):
        value: Any = _scalar(event)
    elif isinstance(event, yaml.SequenceStartEvent):
        value = _sequence(tree, events, path, depth)
    else:
        value = _mapping(tree, events, path, depth)
    if event.anchor:
        tree.anchors[event.anchor] = (value, tree.values - before, _height(value))
    return value


def _spend(tree: YamlTree, values: int, place: tuple[int, int]) -> None:
    tree.values += values
    if tree.values > MAX_VALUES:
        raise YamlSyntaxError(f"holds more than {MAX_VALUES} values, aliases counted as often as they are used", *place)


def _alias(tree: YamlTree, event: Any, path: Path, depth: int) -> Any:  # noqa: ANN401 - YAML holds any value
    place = _at(event.start_mark)
    if event.anchor not in tree.anchors:
        raise YamlSyntaxError(f"the alias *{event.anchor} stands before the end of its anchor, or has none", *place)
    value, size, height = tree.anchors[event.anchor]
    _spend(tree, size, place)
    if depth + height > MAX_DEPTH:
        raise YamlSyntaxError(f"is nested deeper than {MAX_DEPTH} levels", *place)
    return value


def _height(value: Any) -> int:  # noqa: ANN401 - YAML holds any value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_height, children), default=-1)


def _scalar(event: Any) -> str | int | float | bool | None:  # noqa: ANN401 - the parser's events have no public type
    return parse_scalar(event.value) if not event.style else str(event.value)


def _sequence(tree: YamlTree, events: Iterator[Any], path: Path, depth: int) -> list[Any]:
    items: list[Any] = []
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            break
        items.append(_read(tree, event, events, (*path, len(items)), depth + 1))
    return items


def _mapping(tree: YamlTree, events: Iterator[Any], path: Path, depth: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        place = _at(event.start_mark)
        key = _read(tree, event, events, (*path, _KEY), depth + 1)
        refused = _key_problem(tree, key, (*path, key), fields)
        if refused:
            slot = (*path, f"{key} ({place[0]}:{place[1]})")
            tree.key_places[slot] = place
            tree.problems.append(Problem(slot, refused, at_key=True))
            _read(tree, next(events), events, slot, depth + 1)
            continue
        tree.key_places[*path, key] = place
        fields[key] = _read(tree, next(events), events, (*path, key), depth + 1)
    return fields


def _key_problem(tree: YamlTree, key: object, path: Path, fields: dict[str, Any]) -> str:
    if not isinstance(key, str):
        return "a key must be text (put it in quotes)"
    return f"repeats the key {key!r} of line {tree.key_places[path][0]}" if key in fields else ""
