"""Tools that every server has: harmless, and enough to try an agent with tools."""

from __future__ import annotations

import ast
import operator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.tool import ToolError
from meshflow_grpc.tools.registry import tool

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_EXPRESSION_CHARS = 500
MAX_NUMBER = 10**100
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


@tool(risk=RiskTier.READ_ONLY, labels=(), idempotent=True)
def calculator(expression: str) -> str:
    """Evaluates arithmetic: numbers, + - * / // % and parentheses."""
    if len(expression) > MAX_EXPRESSION_CHARS:
        raise ToolError(f"the expression is longer than {MAX_EXPRESSION_CHARS} characters")
    try:
        return repr(_value(ast.parse(expression.strip(), mode="eval").body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ToolError("the expression is not arithmetic of numbers, + - * / // % and parentheses") from None
    except (ZeroDivisionError, OverflowError) as error:
        raise ToolError(f"the expression has no value: {error}") from None


@tool(risk=RiskTier.READ_ONLY, labels=(), idempotent=True)
def clock() -> str:
    """Tells the date and time, UTC, as RFC 3339."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            value: float = number
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            value = _UNARY[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            value = _BINARY[type(op)](_value(left), _value(right))
        case _:
            raise ValueError("not arithmetic")
    if not abs(value) <= MAX_NUMBER:
        raise OverflowError("a number is too large")
    return value


BUILT_IN = (calculator, clock)
