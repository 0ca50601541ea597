"""An application whose tools leave one line a call in files of EFFECTS_DIR, and wait there for a test's word."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from meshflow_grpc import Registry, ToolContext, tool

DIRECTORY = Path(os.environ.get("EFFECTS_DIR", "."))
POLL_S = 0.01


def append(name: str, line: str) -> None:
    """Adds a line that a crash of this process cannot take back."""
    with (DIRECTORY / name).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


async def told(name: str) -> None:
    """Waits until the test has made a file."""
    while not (DIRECTORY / name).exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(POLL_S)


@tool(risk="irreversible", labels=())
async def pay(amount: int, context: ToolContext) -> str:
    """Pays, between two words of the test."""
    append("begun", context.idempotency_key)
    await told("go")
    append("paid", f"{context.run_id} {amount}")
    await told("answer")
    return "paid"


@tool(risk="external_io", labels=(), idempotent=True)
async def order(item: str, context: ToolContext) -> str:
    """Orders, once per key, between two words of the test."""
    append("begun", context.idempotency_key)
    await told("go")
    append("ordered", f"{context.idempotency_key} {item}")
    await told("answer")
    return "ordered"


registry = Registry(pay, order)
