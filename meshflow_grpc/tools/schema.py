"""JSON Schema of a function's parameters, and the check of arguments against it."""

from __future__ import annotations

import inspect
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, get_type_hints

import pydantic
import re2
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.validators import extend, validator_for

from meshflow_grpc.domain.tool import ToolContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from meshflow_grpc.domain.json_value import JsonValue

_SHOWN_CHARS = 300
# Keywords whose members are schemas by name, and keywords that hold values.
_NAMED = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_VALUES = frozenset({"const", "default", "enum", "example", "examples"})


def context_parameter(function: Callable[..., Any]) -> str | None:
    """Name of the parameter that takes the ToolContext: annotated with it, or called ``context``."""
    hints = _hints(function)
    for name in inspect.signature(function).parameters:
        if hints.get(name) is ToolContext or (name == "context" and name not in hints):
            return name
    return None


def schema_of(function: Callable[..., Any], context_name: str | None) -> dict[str, JsonValue]:
    """JSON Schema of the parameters, from annotations and defaults. Raises TypeError for what cannot be given by name."""
    hints = _hints(function)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == context_name:
            continue
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"parameter {name!r} of {function.__name__!r} cannot be given by name")
        if name not in hints:
            raise TypeError(f"parameter {name!r} of {function.__name__!r} needs a type annotation")
        fields[name] = (hints[name], ... if parameter.default is parameter.empty else parameter.default)
    model = pydantic.create_model(function.__name__, __config__=pydantic.ConfigDict(extra="forbid"), **fields)
    return model.model_json_schema()


def checker(name: str, schema: Mapping[str, JsonValue]) -> Callable[[Mapping[str, JsonValue]], str | None]:
    """Compiles a schema to ``Tool.check``. Raises TypeError for a schema that is none."""
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
        for pattern in _patterns(schema):
            _linear(pattern)
    except (SchemaError, ValueError) as error:
        reason = error.message if isinstance(error, SchemaError) else error
        raise TypeError(f"parameters of tool {name!r} are not a JSON Schema: {reason}") from None
    validator = extend(kind, _LINEAR)(schema)

    def check(arguments: Mapping[str, JsonValue]) -> str | None:
        error = next(iter(validator.iter_errors(dict(arguments))), None)
        if error is None:
            return None
        place = "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in error.absolute_path)
        return f"arguments{place}: {error.message[:_SHOWN_CHARS]}"

    return check


def _patterns(schema: object) -> Iterator[str]:
    """Every ``pattern`` in a schema. Raises ValueError for patternProperties: jsonschema matches those in exponential time."""
    if isinstance(schema, list):
        yield from chain.from_iterable(map(_patterns, schema))
    elif isinstance(schema, dict):
        if "patternProperties" in schema:
            raise ValueError("patternProperties is not supported; name the properties, or use additionalProperties")
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        yield from chain.from_iterable(_patterns(part) for part in _parts(schema))


def _parts(schema: dict[str, Any]) -> Iterator[object]:
    """What in a schema may hold schemas."""
    for key, value in schema.items():
        if key not in _VALUES:
            yield list(value.values()) if key in _NAMED and isinstance(value, dict) else value


@lru_cache(maxsize=1024)
def _linear(pattern: str) -> Any:  # noqa: ANN401 - re2 has no annotations
    """Compiles a pattern for an engine that takes time in proportion to the text, whatever the pattern."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise ValueError(f"pattern {pattern!r} is not one that can be matched in linear time (RE2 syntax)") from None


def _matches(validator: Any, pattern: str, instance: object, schema: object) -> Iterator[ValidationError]:  # noqa: ANN401 - as jsonschema calls it
    del schema
    if validator.is_type(instance, "string") and _linear(pattern).search(instance) is None:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_LINEAR = {"pattern": _matches}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except NameError as error:
        raise TypeError(f"an annotation of {function.__name__!r} is not known where it is defined: {error}") from None
