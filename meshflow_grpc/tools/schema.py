"""JSON Schema of a function's parameters, and the check of arguments against it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_type_hints

import pydantic
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.validators import validator_for

from meshflow_grpc.domain.tool import ToolContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue

_SHOWN_CHARS = 300


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
    except SchemaError as error:
        raise TypeError(f"parameters of tool {name!r} are not a JSON Schema: {error.message}") from None
    validator = kind(schema)

    def check(arguments: Mapping[str, JsonValue]) -> str | None:
        error = next(iter(validator.iter_errors(dict(arguments))), None)
        if error is None:
            return None
        place = "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in error.absolute_path)
        return f"arguments{place}: {error.message[:_SHOWN_CHARS]}"

    return check


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except NameError as error:
        raise TypeError(f"an annotation of {function.__name__!r} is not known where it is defined: {error}") from None
