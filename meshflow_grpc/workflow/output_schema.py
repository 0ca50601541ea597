"""The JSON Schema of a node's output: compiled once, applied to every output."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from meshflow_grpc.json_schema import value_check

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue

OutputCheck: TypeAlias = Callable[[str], str | None]


def output_check(schema: Mapping[str, JsonValue]) -> OutputCheck:
    """Compiles a schema without problems; the check says in words what is wrong with an output, None when nothing is."""
    fits = value_check(schema, "output")

    def check(output: str) -> str | None:
        try:
            value = json.loads(output)
        except ValueError:
            return "it is not JSON"
        except RecursionError:
            return "it is nested too deep"
        return fits(value)

    return check
