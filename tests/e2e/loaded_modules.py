"""An application that says which modules its server has loaded."""

from __future__ import annotations

import sys

from meshflow_grpc import Registry, tool


@tool(risk="internal", labels=())
def pay(amount: int) -> str:
    """Pays."""
    return f"paid {amount}"


registry = Registry(pay)


@registry.function("loaded")
def loaded(_: dict[str, object]) -> str:
    """Whether the library that holds arguments to their schemas is there; this function has none."""
    return str("jsonschema" in sys.modules)
