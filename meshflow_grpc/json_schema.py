"""JSON Schema as this server holds values to it: the parameters of tools and the outputs of nodes, checked once, compiled once.

Draft 2020-12 unless ``$schema`` says otherwise. References stay inside the schema, and patterns are RE2, so that no schema makes the
server fetch anything or match for ever; ``format`` is an annotation. The library is imported with the first schema: a second and more
where packages are installed that it looks for at its import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import re2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jsonschema import ValidationError

    from meshflow_grpc.domain.json_value import JsonValue

Path: TypeAlias = tuple[str | int, ...]
ValueCheck: TypeAlias = Callable[[object], str | None]
UNSUPPORTED = frozenset(
    {"patternProperties", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"}
)
# Keywords whose members are schemas by name, and keywords that hold values.
_NAMED_SCHEMAS = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_DATA = frozenset({"enum", "const", "default", "example", "examples"})
_SHOWN_CHARS = 300


def load_library() -> None:
    """Imports the library and compiles a first schema now, so that a server's event loop does not stand still for it later."""
    schema_problem({})
    value_check({}, "value")


def schema_problem(schema: Mapping[str, JsonValue]) -> tuple[Path, str] | None:
    """What is wrong with a schema, and where; None when values can be held to it."""
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for

    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        return tuple(error.absolute_path), f"is not JSON Schema: {error.message[:_SHOWN_CHARS]}"
    return next(_unusable(schema, ()), None)


def value_check(schema: Mapping[str, JsonValue], what: str) -> ValueCheck:
    """Compiles a schema without problems; the check says what is wrong with a value, ``what`` being its name, None when nothing is."""
    import referencing
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend, validator_for

    kind = extend(validator_for(schema, default=Draft202012Validator), {"pattern": _pattern})
    validator = kind(schema, registry=referencing.Registry())

    def check(value: object) -> str | None:
        error = next(validator.iter_errors(value), None)
        if error is None:
            return None
        return f"{place_in(what, tuple(error.absolute_path))}: {error.message[:_SHOWN_CHARS]}"

    return check


def place_in(what: str, path: Path) -> str:
    """A place in a value as people write it: ``arguments.items[0]``."""
    return what + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in path)


def _unusable(schema: object, path: Path) -> Iterator[tuple[Path, str]]:
    for key, value in _children(schema):
        problem = _keyword_problem(key, value) if isinstance(key, str) else None
        if problem is not None:
            yield (*path, key), problem
        elif key in _NAMED_SCHEMAS:
            for name, each in _children(value):
                yield from _unusable(each, (*path, key, name))
        elif key not in _DATA:
            yield from _unusable(value, (*path, key))


def _children(value: object) -> Iterable[tuple[str | int, object]]:
    if isinstance(value, Mapping):
        return ((str(key), item) for key, item in value.items())
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _keyword_problem(key: str, value: object) -> str | None:
    if key in UNSUPPORTED:
        return f"{key} is not enforced by this server; say it with properties and additionalProperties"
    if key == "$ref" and isinstance(value, str) and not value.startswith("#"):
        return f"must refer to a place in this schema (#/...), not to {value[:80]!r}"
    if key == "pattern" and isinstance(value, str) and _compiled(value) is None:
        return "is not a pattern of RE2 syntax, which is matched in linear time"
    return None


def _pattern(_validator: Any, pattern: str, instance: object, _schema: Any) -> Iterator[ValidationError]:  # noqa: ANN401 - the library's types
    from jsonschema import ValidationError

    if isinstance(instance, str) and _compiled(pattern).search(instance) is None:
        yield ValidationError(f"{instance[:80]!r} does not match {pattern!r}")


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:  # noqa: ANN401 - the library has no types
    """A pattern for an engine that takes time in proportion to the text; None when it has no such form."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None
