"""JSON Schema of a function's parameters, and the check of arguments against it."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

import pydantic

from meshflow_grpc.domain.tool import ToolContext
from meshflow_grpc.json_schema import place_in, schema_problem, value_check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue

_PLAIN = (str, int, float, bool)


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


def checker(
    name: str, schema: Mapping[str, JsonValue], *, plain: bool = False
) -> Callable[[Mapping[str, JsonValue]], str | None]:
    """Makes ``Tool.check`` of a schema. Raises TypeError for a schema that is none, or that arguments cannot be held to.

    A ``plain`` one, made of nothing but text, numbers and truth values, cannot be wrong; it is compiled with the first call.
    """
    found = None if plain else schema_problem(schema)
    if found is not None:
        path, problem = found
        raise TypeError(f"{place_in(f'parameters of tool {name!r}', path)}: {problem}")
    fits = cache(lambda: value_check(schema, "arguments"))
    return lambda arguments: fits()(dict(arguments))


def takes_plain_values(function: Callable[..., Any], context_name: str | None) -> bool:
    """Whether every parameter is annotated with nothing but text, a number or a truth value."""
    hints = _hints(function)
    return all(hints.get(name) in _PLAIN for name in inspect.signature(function).parameters if name != context_name)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except NameError as error:
        raise TypeError(f"an annotation of {function.__name__!r} is not known where it is defined: {error}") from None
