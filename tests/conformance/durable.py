"""Workflows, tools and backends of the tests of durable runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import pytest

from meshflow_grpc import DurableWorkflowExecutor, Registry, StateGraph, WorkflowDefinition, add, node, tool
from meshflow_grpc.domain.policy import RiskTier

LEDGERS = ("sqlite", "postgres")
GATED = {"human_in_loop": {"enabled": True, "tier_threshold": "external_io"}}


@dataclass
class Application:
    """Tools that count their effects; ``hold`` keeps the second one until it is released."""

    effects: list[str] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    def registry(self) -> Registry:
        """first, second (which waits) and third."""

        @tool(risk="read_only", labels=())
        async def first() -> str:
            """Begins."""
            self.effects.append("first")
            return "one"

        @tool(risk="internal", labels=())
        async def second() -> str:
            """Waits to be released."""
            self.held.set()
            await self.release.wait()
            self.effects.append("second")
            return "two"

        @tool(risk="external_io", labels=())
        async def third() -> str:
            """Acts outside."""
            self.effects.append("third")
            return "three"

        return Registry(first, second, third)


CHAIN = WorkflowDefinition("chain")
for name in ("first", "second", "third"):
    CHAIN.add_node(name, kind="tool", tool=name)
CHAIN.add_edge("first", "second").add_edge("second", "third")


@dataclass
class Backend:
    """A backend and how to reach it."""

    name: str
    arguments: dict[str, Any]
    ledger: str | None = None

    def executor(self, run_id: str | None, app: Application | None = None) -> DurableWorkflowExecutor:
        """A new executor, as another process would make it."""
        registry = app.registry() if app is not None else None
        return DurableWorkflowExecutor(run_id, self.name, registry=registry, **self.arguments)


async def stop_in_second(backend: Backend, run_id: str, app: Application) -> None:
    """Runs until the second step is under way, then stops as a process that ends does."""
    running = asyncio.create_task(backend.executor(run_id, app).run(CHAIN, "go"))
    await app.held.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


class Counted(TypedDict, total=False):
    """The state of a graph."""

    seen: Annotated[list[str], add]
    count: int


def looping_graph(app: Application) -> Any:
    async def wait(state: Counted) -> Counted:
        if state["count"] == 1:
            app.held.set()
            await app.release.wait()
        app.effects.append(f"wait {state['count']}")
        return {"count": state["count"] + 1, "seen": [f"wait {state['count']}"]}

    @node(risk=RiskTier.EXTERNAL_IO)
    def publish(state: Counted) -> Counted:
        app.effects.append("publish")
        return {"seen": [f"published {state['count']}"]}

    graph = StateGraph(Counted).add_node("wait", wait).add_node("publish", publish).set_entry_point("wait")
    graph.add_conditional_edges(
        "wait", lambda s: "again" if s["count"] < 3 else "on", {"again": "wait", "on": "publish"}
    )
    return graph.compile(policy=GATED)
