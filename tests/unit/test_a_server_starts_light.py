"""What a server loads and looks through is no more than it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def told(program: str) -> str:
    """What a program of a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("library", ["jsonschema", "anthropic", "presidio_analyzer", "redis", "aiobotocore"])
def test_libraries_that_few_need_are_not_imported_at_start(library: str) -> None:
    """A server, and with it the tools that every server has, comes without them."""
    assert told(f"import meshflow_grpc.app.server, sys; print({library!r} in sys.modules)") == "False"


def test_tools_of_plain_parameters_are_held_to_them() -> None:
    """The schema that is compiled with the first call refuses what the eager one did."""
    program = (
        "from meshflow_grpc.tools.builtin import calculator; from meshflow_grpc.tools.registry import tool_of;"
        "check = tool_of(calculator).check; print(check({'expression': '1'}), check({'expression': 1}), check({}), sep='|')"
    )

    right, wrong, missing = told(program).split("|")

    assert right == "None"
    assert wrong.startswith("arguments.expression: ")
    assert missing.startswith("arguments: ")
