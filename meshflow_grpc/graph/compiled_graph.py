"""A checked graph: runs are executed by the engine, under the kernel, and recorded in the ledger."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.event import EventType
from meshflow_grpc.domain.run import RunRequest
from meshflow_grpc.domain.tool import ToolError
from meshflow_grpc.graph.local import LOCAL, local_runtime
from meshflow_grpc.graph.state import GraphState
from meshflow_grpc.tools.registry import Registry
from meshflow_grpc.workflow.yaml_codec import dump_workflow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping

    from meshflow_grpc.domain.event import RunEvent
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.workflow import Workflow
    from meshflow_grpc.graph.state import StateType


class GraphRunError(Exception):
    """A run did not complete. ``status``, ``blocked_by`` and ``reason`` are the run's; its cause is what a node raised."""

    def __init__(self, run_id: str, status: str, blocked_by: str | None, reason: str | None) -> None:
        super().__init__(f"run {run_id} is {status}: {reason or blocked_by or 'no reason given'}")
        self.run_id = run_id
        self.status = status
        self.blocked_by = blocked_by
        self.reason = reason


class GraphRecursionError(Exception):
    """A run would have followed an edge that leads back more often than ``recursion_limit`` allows."""


@dataclass(frozen=True, slots=True)
class GraphPlan:
    """A graph as it was compiled."""

    workflow: Workflow
    state: StateType
    functions: Mapping[str, Callable[[Any], Any]]
    routes: Mapping[str, tuple[Callable[[Any], Any], Mapping[str, str]]]
    loops: frozenset[tuple[str, str]]
    recursion_limit: int


@dataclass
class GraphRun:
    """One run of a plan: its state, and how often it went round."""

    plan: GraphPlan
    state: GraphState
    rounds: Counter[tuple[str, str]] = field(default_factory=Counter)
    error: Exception | None = None

    def registry(self) -> Registry:
        """The functions of the nodes, bound to this run."""
        registry = Registry()
        for name in self.plan.functions:
            registry.function(name)(self._bound(name))
        return registry

    def _bound(self, name: str) -> Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]:
        async def call(_data: dict[str, Any]) -> dict[str, Any]:
            try:
                update = self.state.update(name, await _called(self.plan.functions[name], self.state.copy()))
                return {"update": update, "route": self._route(name)}
            except ToolError:
                raise
            except Exception as error:
                self.error = error
                raise

        return call

    def _route(self, name: str) -> list[str]:
        """The nodes the router chose; raises ValueError for answers that lead nowhere, and GraphRecursionError."""
        route, targets = self.plan.routes.get(name, (None, {}))
        answer = [] if route is None else route(self.state.copy())
        chosen = []
        for label in [answer] if isinstance(answer, str) else list(answer):
            if label not in targets:
                known = ", ".join(map(repr, targets))
                raise ValueError(f"the router of {name!r} answered {label!r}; its edges are for {known}")
            chosen.append(targets[label])
        if route is not None and not chosen:
            raise ValueError(f"the router of {name!r} chose nothing; answer END to end there")
        self._go_round(name, chosen, set(targets.values()))
        return chosen

    def _go_round(self, name: str, chosen: list[str], routed: set[str]) -> None:
        """Counts an edge that leads back; it is followed alone, because going round leaves the other edges undecided."""
        back = [edge for edge in self.plan.loops if edge[0] == name and (edge[1] in chosen or edge[1] not in routed)]
        if back and len(set(chosen) | {edge[1] for edge in back}) > 1:
            raise ValueError(
                f"{name!r} leads back to {back[0][1]!r} and elsewhere at the same time; choose one of them"
            )
        for edge in back:
            self.rounds[edge] += 1
            if self.rounds[edge] > self.plan.recursion_limit:
                limit = self.plan.recursion_limit
                raise GraphRecursionError(
                    f"{name} -> {edge[1]} was followed {limit} times, which is the recursion_limit"
                )


class CompiledStateGraph:
    """Runs of a graph. Every call is one governed run in the ledger; it raises GraphRunError unless the run completes."""

    def __init__(self, plan: GraphPlan, ledger: str | None) -> None:
        self._plan = plan
        self._ledger = ledger

    @property
    def workflow(self) -> Workflow:
        """What the engine executes."""
        return self._plan.workflow

    async def ainvoke(self, state: Mapping[str, JsonValue]) -> dict[str, Any]:
        """Runs the graph and returns the final state."""
        run = GraphRun(self._plan, GraphState(self._plan.state, state))
        async with aclosing(self._updates(run, state)) as updates:
            async for _ in updates:
                pass
        return run.state.copy()

    async def astream(self, state: Mapping[str, JsonValue]) -> AsyncGenerator[dict[str, Any], None]:
        """Yields ``{node: update}`` as each node's step becomes durable; leaving early cancels the run."""
        run = GraphRun(self._plan, GraphState(self._plan.state, state))
        async with aclosing(self._updates(run, state)) as updates:
            async for update in updates:
                yield update

    def invoke(self, state: Mapping[str, JsonValue]) -> dict[str, Any]:
        """Runs the graph from code that is not asynchronous; raises RuntimeError inside an event loop."""
        return asyncio.run(self.ainvoke(state))

    def stream(self, state: Mapping[str, JsonValue]) -> Iterator[dict[str, Any]]:
        """``astream`` for code that is not asynchronous."""
        loop = asyncio.new_event_loop()
        updates = self.astream(state)
        try:
            while (update := loop.run_until_complete(anext(updates, None))) is not None:
                yield update
        finally:
            loop.run_until_complete(updates.aclose())
            loop.close()

    async def _updates(self, run: GraphRun, state: Mapping[str, JsonValue]) -> AsyncGenerator[dict[str, Any], None]:
        request = RunRequest(input=dict(state), workflow_yaml=dump_workflow(self._plan.workflow))
        async with local_runtime(run.registry(), self._ledger) as runtime:
            last: RunEvent | None = None
            async with aclosing(runtime.commands.stream_run.execute(LOCAL, request)) as events:
                async for event in events:
                    last = event
                    if event.event_type is EventType.AGENT_COMPLETED:
                        yield {str(event.node_id): json.loads(event.output or "{}")["update"]}
        if last is None or last.status != "completed":
            raise _failure(last) from run.error


def _failure(event: RunEvent | None) -> GraphRunError:
    if event is None:
        return GraphRunError("", "unknown", None, "it ended without an event")
    status = event.status or ("paused" if event.event_type is EventType.GATE_PAUSED else "unknown")
    return GraphRunError(event.run_id, status, event.blocked_by, event.reason)


async def _called(function: Callable[[Any], Any], state: dict[str, Any]) -> object:
    """Plain functions run in a thread, so that parallel nodes do not wait for one another."""
    if inspect.iscoroutinefunction(function):
        return cast("object", await function(state))
    return await asyncio.to_thread(function, state)
