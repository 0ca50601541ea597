"""CEL expressions that give a bool: compiled and type-checked once, evaluated with nothing left silent.

Shared by the conditions of edges and the rules of policies, which lie beside each other in the layers above.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cel_expr_python import cel

if TYPE_CHECKING:
    from collections.abc import Callable

_UNDECLARED = re.compile(r"undeclared reference to '\.?([A-Za-z_][A-Za-z0-9_]*)")
_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
# What other languages write for &&, || and !.
_WORDS = re.compile(r"\b(and|or|not)\b")


class ExpressionSyntaxError(ValueError):
    """The text is not CEL, its types do not fit, or it gives no bool; the message gives line and column."""


class EvaluationError(ValueError):
    """An expression had no bool for the values it was given."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression and the variables it reads."""

    text: str
    variables: tuple[str, ...]
    program: Any


def compile_expression(text: str, declare: Callable[[str], Any], *, noun: str) -> Expression:
    """Compiles an expression; ``declare`` gives the type of a name or raises, ``noun`` says what it is in messages.

    Raises ExpressionSyntaxError.
    """
    variables: dict[str, Any] = {}
    while True:
        try:
            program = cel.NewEnv(variables=variables).compile(text)
            break
        except RuntimeError as error:
            unknown = [name for name in dict.fromkeys(_UNDECLARED.findall(str(error))) if name not in variables]
            if not unknown:
                hint = "; write && for and, || for or, ! for not" if _WORDS.search(text) else ""
                raise ExpressionSyntaxError(_explain(str(error), noun) + hint) from error
        variables.update({name: declare(name) for name in unknown})
    result = program.return_type()
    if result not in (cel.Type.BOOL, cel.Type.DYN):
        raise ExpressionSyntaxError(f"gives {result.name().lower()}, a {noun} must give bool")
    return Expression(text, tuple(variables), program)


def evaluate_expression(expression: Expression, data: dict[str, Any], *, noun: str) -> bool:
    """Evaluates with exactly the variables the expression reads; raises EvaluationError when there is no bool."""
    value = _eval(expression, data)
    if value.type() == cel.Type.ERROR and "Non-CEL value" in str(value.value()):
        value = _eval(expression, {name: _plain(item) for name, item in data.items()})
    if value.type() == cel.Type.ERROR:
        raise EvaluationError(str(value.value()).partition(": ")[2] or "cannot be evaluated")
    result = value.plain_value()
    if not isinstance(result, bool):
        raise EvaluationError(f"gives {value.type().name().lower()}, a {noun} must give bool")
    return result


def _eval(expression: Expression, data: dict[str, Any]) -> Any:  # noqa: ANN401 - the library's values are untyped
    """The library bounds the iterations of an evaluation and raises when they are used up."""
    try:
        return expression.program.eval(data=data)
    except RuntimeError as error:
        raise EvaluationError(str(error).split(" [", 1)[0].partition(": ")[2] or "cannot be evaluated") from error


def _explain(message: str, noun: str) -> str:
    found = _PLACE.findall(message)
    if not found:
        return message.split(" [", 1)[0].partition(": ")[2] or message
    return "; ".join(f"{text} (at {line}:{column} of the {noun})" for line, column, text in found)


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The library takes dict and list alone; other mappings and sequences are copied into them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
