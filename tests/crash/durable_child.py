"""Runs a chain of three tools and kills itself inside the second. Arguments: run id, backend, its arguments as JSON, effects file."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from meshflow_grpc import DurableWorkflowExecutor, Registry, WorkflowDefinition, tool


def registry(effects: Path, *, kills: bool) -> Registry:
    """Tools that append their name to a file; ``kills``: the second one ends the process first."""

    def act(name: str) -> str:
        with effects.open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        return name

    @tool(risk="read_only", labels=())
    async def first() -> str:
        """Begins."""
        return act("first")

    @tool(risk="internal", labels=())
    async def second() -> str:
        """Goes on, or dies."""
        if kills:
            os.kill(os.getpid(), signal.SIGKILL)
        return act("second")

    return Registry(first, second)


def chain() -> WorkflowDefinition:
    """first -> second."""
    made = WorkflowDefinition("chain")
    return (
        made.add_node("first", kind="tool", tool="first")
        .add_node("second", kind="tool", tool="second")
        .add_edge("first", "second")
    )


if __name__ == "__main__":
    run_id, backend, arguments, effects = sys.argv[1:]
    executor = DurableWorkflowExecutor(
        run_id, backend, registry=registry(Path(effects), kills=True), **json.loads(arguments)
    )
    asyncio.run(executor.run(chain(), "go"))
