"""The tools and the long text that scenarios use."""

from __future__ import annotations

from pathlib import Path

from meshflow_grpc import Registry, tool

PIECE = "世界🌍和平🌏"


def flood_text(megabytes: int) -> str:
    """At least so many million bytes of text, none of it ASCII."""
    return PIECE * (megabytes * 1_000_000 // len(PIECE.encode()) + 1)


@tool(risk="read_only", labels="secret")
def vault() -> str:
    """Gives a secret."""
    return "the combination"


@tool(risk="external_io", labels=())
def mail(text: str) -> str:
    """Sends a message."""
    return f"sent {len(text)} characters"


@tool(risk="irreversible", labels=())
def pay(amount: int) -> str:
    """Pays."""
    return f"paid {amount}"


@tool(risk="internal", labels=())
def hold(pipe: str) -> str:
    """Waits until somebody writes to the named pipe."""
    return Path(pipe).read_text()


registry = Registry(vault, mail, pay, hold)


@registry.function("flood")
def flood(_: dict[str, object]) -> str:
    """Says a lot."""
    return flood_text(3)
