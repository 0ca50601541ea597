"""Conditions of edges: CEL, compiled and type-checked once, with nothing left silent when a run evaluates them.

Names are ``state``, ``output`` and ``iteration``, and the top-level keys of the source node's structured output. A key
takes its type from the node's ``output_schema`` when that says string, boolean, array or object; otherwise it is
dynamic and checked when evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cel_expr_python import cel

from meshflow_grpc.domain.errors import ErrorReason, MeshflowError
from meshflow_grpc.expression import (
    EvaluationError,
    Expression,
    ExpressionSyntaxError,
    compile_expression,
    evaluate_expression,
)
from meshflow_grpc.workflow.problem import did_you_mean

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.workflow import Edge, Workflow

BUILT_IN: Mapping[str, Any] = {
    "state": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "output": cel.Type.STRING,
    "iteration": cel.Type.INT,
}
_SCHEMA_TYPES: Mapping[str, Any] = {
    "string": cel.Type.STRING,
    "boolean": cel.Type.BOOL,
    "array": cel.Type.List(cel.Type.DYN),
    "object": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
}
_NO_TRUTHS: Mapping[str, bool] = {}


ConditionSyntaxError = ExpressionSyntaxError


class ConditionError(MeshflowError):
    """A condition had no value when the run reached its edge.

    ``edge`` is ``source -> target``; ``variable`` is the missing name, or empty when the expression failed otherwise.
    """

    reason = ErrorReason.INVALID_WORKFLOW

    def __init__(self, edge: Edge, description: str, variable: str = "") -> None:
        self.edge = f"{edge.source} -> {edge.target}"
        self.variable = variable
        super().__init__(
            f"edge {self.edge}: condition {edge.condition!r}: {description}",
            metadata={"edge": self.edge, **({"variable": variable} if variable else {})},
        )


Condition = Expression


def compile_condition(expression: str, output_schema: Mapping[str, JsonValue] | None = None) -> Condition:
    """Compiles an expression; raises ConditionSyntaxError when it is not CEL, its types do not fit or it is no bool."""
    return compile_expression(expression, lambda name: _declare(name, output_schema), noun="condition")


def _declare(name: str, schema: Mapping[str, JsonValue] | None) -> Any:  # noqa: ANN401 - the library's types are untyped
    """The type of a name; refuses one that a closed output schema does not have."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    properties = (schema or {}).get("properties")
    if not isinstance(properties, dict):
        return cel.Type.DYN
    if name not in properties and (schema or {}).get("additionalProperties") is False:
        hint = did_you_mean(name, [*BUILT_IN, *properties])
        raise ConditionSyntaxError(f"{name!r} is not a property of the source node's output_schema{hint}")
    declared = properties.get(name)
    kind = declared.get("type") if isinstance(declared, dict) else None
    return _SCHEMA_TYPES.get(kind, cel.Type.DYN) if isinstance(kind, str) else cel.Type.DYN


class EdgeConditions:
    """The compiled conditions of a workflow's edges, by source node. Immutable; runs share it."""

    __slots__ = ("_by_source",)

    def __init__(self, by_source: Mapping[str, tuple[tuple[Edge, Condition], ...]]) -> None:
        self._by_source = by_source

    @classmethod
    def of(cls, workflow: Workflow) -> EdgeConditions:
        """Compiles every condition; raises ConditionSyntaxError at the first wrong one (``validate`` reports all)."""
        schemas = {node.id: node.output_schema for node in workflow.nodes}
        by_source: dict[str, tuple[tuple[Edge, Condition], ...]] = {}
        for edge in workflow.edges:
            if edge.condition:
                compiled = compile_condition(edge.condition, schemas.get(edge.source))
                by_source[edge.source] = (*by_source.get(edge.source, ()), (edge, compiled))
        return cls(by_source)

    def evaluate(self, source: str, variables: Mapping[str, JsonValue]) -> Mapping[str, bool]:
        """Returns the truth of each conditional edge of a node by target id; raises ConditionError if one has none."""
        conditions = self._by_source.get(source)
        if conditions is None:
            return _NO_TRUTHS
        return {edge.target: evaluate_condition(edge, condition, variables) for edge, condition in conditions}


def evaluate_condition(edge: Edge, condition: Condition, variables: Mapping[str, JsonValue]) -> bool:
    """Evaluates one condition. Every name it mentions must be given, whether or not the value would have mattered.

    Raises ConditionError when a name is missing, the expression fails or its value is not a bool.
    """
    data: dict[str, Any] = {}
    for name in condition.variables:
        if name not in variables:
            raise ConditionError(edge, f"{name!r} is not in the output of node {edge.source!r}", name)
        data[name] = variables[name]
    try:
        return evaluate_expression(condition, data, noun="condition")
    except EvaluationError as error:
        raise ConditionError(edge, str(error)) from error


def condition_variables(
    *,
    state: Mapping[str, JsonValue],
    output: str,
    structured: Mapping[str, JsonValue] | None = None,
    iteration: int = 1,
) -> dict[str, JsonValue]:
    """Returns what conditions see after a node: its structured keys, under the built-in names, which win."""
    return {**(structured or {}), "state": state, "output": output, "iteration": iteration}
