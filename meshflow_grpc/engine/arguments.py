"""Arguments of tool nodes: ``${task}``, ``${node}`` and ``${node.key}`` stand for the task and for outputs of earlier nodes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.workflow import Workflow

TASK = "task"
# ``$${`` is a literal ``${``. Node ids hold no dot; a key goes to the closing brace.
_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}.]*)(?:\.([^{}]+))?\}")


def scope(node_id: str) -> str:
    """What stands before the names a node of a subgraph refers to; nothing for others."""
    around, dot, _ = node_id.rpartition(".")
    return around + dot


class ArgumentError(ValueError):
    """A reference has no value; the text names it."""


def references(value: JsonValue | Mapping[str, JsonValue]) -> Iterator[str]:
    """Every name that is referred to, ``task`` included."""
    if isinstance(value, str):
        yield from (match[1] for match in _REFERENCE.finditer(value) if match[1] is not None)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from references(item)


def rendered(value: JsonValue, look_up: Callable[[str], str]) -> JsonValue:
    """The value with its references resolved; a text that is one reference to a key takes the key's JSON type.

    ``look_up`` gives the text of a name and raises ArgumentError.
    """
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole is not None and whole[1] is not None:
            return _resolve(whole, look_up)
        return _REFERENCE.sub(lambda match: "${" if match[1] is None else _text(_resolve(match, look_up)), value)
    if isinstance(value, Mapping):
        return {key: rendered(item, look_up) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [rendered(item, look_up) for item in value]
    return value


def _resolve(match: re.Match[str], look_up: Callable[[str], str]) -> JsonValue:
    name, key = match[1], match[2]
    text = look_up(name)
    if key is None:
        return text
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or key not in document:
        raise ArgumentError(f"{match[0]}: the output of {name!r} has no key {key!r}")
    found: JsonValue = document[key]
    return found


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def ancestors(workflow: Workflow, node_id: str) -> frozenset[str]:
    """The nodes from which edges lead to this one."""
    sources: dict[str, list[str]] = {}
    for edge in workflow.edges:
        sources.setdefault(edge.target, []).append(edge.source)
    found: set[str] = set()
    waiting = [node_id]
    while waiting:
        for source in sources.get(waiting.pop(), ()):
            if source not in found:
                found.add(source)
                waiting.append(source)
    return frozenset(found)
