"""The tail is what makes code hard to read, so files and functions have a hard limit."""

from __future__ import annotations

import ast

from tests.architecture.repository import handwritten_python, shown

FILE_LINES = 300
FUNCTION_LINES = 60


def test_no_file_is_longer_than_its_budget() -> None:
    """A hand-written Python file has at most 300 lines."""
    sizes = {shown(path): len(path.read_text().splitlines()) for path in handwritten_python()}

    assert len(sizes) > 10, "the scan found too few files to mean anything"
    assert {name: size for name, size in sizes.items() if size > FILE_LINES} == {}


def test_no_function_is_longer_than_its_budget() -> None:
    """A function has at most 60 lines, its docstring included and its decorators not."""
    too_long = {
        f"{shown(path)}:{node.lineno} {node.name}": size
        for path in handwritten_python()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    }

    assert too_long == {}
