"""The application of every node: tools whose effects are lines of one file, so that a second effect cannot hide."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from meshflow_grpc import Registry, tool

FILE = Path(os.environ.get("EFFECTS_FILE", os.devnull))
SLOW_S = 2.0


def _write(what: str, key: str) -> None:
    """One line; appends of this size are atomic."""
    with FILE.open("a", encoding="utf-8") as file:
        file.write(f"{what} {key} {os.environ.get('MESHFLOW_MESH_SLUG', '')} {time.time():.3f}\n")


async def _act(key: str) -> str:
    _write("begun", key)
    await asyncio.sleep(SLOW_S if key.startswith("slow") else 0.0)
    _write("done", key)
    return f"done by {os.environ.get('MESHFLOW_MESH_SLUG', 'nobody')}"


@tool(risk="internal")
async def note(key: str) -> str:
    """Writes something down, which may happen twice at most where the first was interrupted."""
    return await _act(key)


@tool(risk="irreversible")
async def pay(key: str) -> str:
    """Spends money, which may never happen twice."""
    return await _act(key)


registry = Registry(note, pay)
