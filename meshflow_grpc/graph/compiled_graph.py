"""A checked graph: runs are executed by the engine, under the kernel, and recorded in the ledger."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.event import EventType
from meshflow_grpc.domain.run import RunRequest
from meshflow_grpc.graph.graph_run import GraphRun
from meshflow_grpc.graph.local import LOCAL, local_runtime
from meshflow_grpc.workflow.yaml_codec import dump_workflow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

    from meshflow_grpc.domain.event import RunEvent
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.workflow import Workflow
    from meshflow_grpc.graph.graph_run import GraphPlan


class GraphRunError(Exception):
    """A run did not complete. ``status``, ``blocked_by`` and ``reason`` are the run's; its cause is what a node raised."""

    def __init__(self, run_id: str, status: str, blocked_by: str | None, reason: str | None) -> None:
        super().__init__(f"run {run_id} is {status}: {reason or blocked_by or 'no reason given'}")
        self.run_id = run_id
        self.status = status
        self.blocked_by = blocked_by
        self.reason = reason


class CompiledStateGraph:
    """Runs of a graph. Every call is one governed run in the ledger; it raises GraphRunError unless the run completes."""

    def __init__(self, plan: GraphPlan, ledger: str | None) -> None:
        self._plan = plan
        self._ledger = ledger

    @property
    def plan(self) -> GraphPlan:
        """The graph as it was compiled."""
        return self._plan

    @property
    def workflow(self) -> Workflow:
        """What the engine executes."""
        return self._plan.workflow

    async def ainvoke(self, state: Mapping[str, JsonValue]) -> dict[str, Any]:
        """Runs the graph and returns the final state."""
        run = GraphRun.begin(self._plan, state)
        async with aclosing(self._updates(run, state)) as updates:
            async for _ in updates:
                pass
        return run.state.copy()

    async def astream(self, state: Mapping[str, JsonValue]) -> AsyncGenerator[dict[str, Any], None]:
        """Yields ``{node: update}`` as each node's step becomes durable; leaving early cancels the run."""
        run = GraphRun.begin(self._plan, state)
        updates: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        # A task of its own closes the ledger also when this generator is dropped in the last moment of an event loop.
        driving = asyncio.create_task(self._drive(run, state, updates))
        try:
            while (update := await updates.get()) is not None:
                yield update
            await driving
        finally:
            driving.cancel()
            await asyncio.wait((driving,))

    def invoke(self, state: Mapping[str, JsonValue]) -> dict[str, Any]:
        """Runs the graph from code that is not asynchronous; raises RuntimeError inside an event loop."""
        _outside_a_loop("invoke", "await ainvoke(...)")
        return asyncio.run(self.ainvoke(state))

    def stream(self, state: Mapping[str, JsonValue]) -> Iterator[dict[str, Any]]:
        """``astream`` for code that is not asynchronous; raises RuntimeError inside an event loop."""
        _outside_a_loop("stream", "iterate with `async for` over astream(...)")
        updates = self.astream(state)

        async def following() -> dict[str, Any] | None:
            return await anext(updates, None)

        with asyncio.Runner() as runner:
            try:
                while (update := runner.run(following())) is not None:
                    yield update
            finally:
                runner.run(_closed(updates))

    async def _drive(
        self, run: GraphRun, state: Mapping[str, JsonValue], updates: asyncio.Queue[dict[str, Any] | None]
    ) -> None:
        try:
            async with aclosing(self._updates(run, state)) as found:
                async for update in found:
                    updates.put_nowait(update)
        finally:
            updates.put_nowait(None)

    async def _updates(self, run: GraphRun, state: Mapping[str, JsonValue]) -> AsyncGenerator[dict[str, Any], None]:
        request = RunRequest(input=dict(state), workflow_yaml=dump_workflow(self._plan.workflow))
        async with local_runtime(run.registry(), self._ledger) as runtime:
            runtime.hub.listen(run.take)
            last: RunEvent | None = None
            async with aclosing(runtime.commands.stream_run.execute(LOCAL, request)) as events:
                async for event in events:
                    last = event
                    if event.event_type is EventType.AGENT_COMPLETED:
                        yield {str(event.node_id): json.loads(event.output or "{}")["update"]}
        if last is None or last.status != "completed" or run.error is not None:
            raise _failure(last) from run.error


def _outside_a_loop(method: str, instead: str) -> None:
    """Raises RuntimeError where an event loop runs, which the call would hold up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"{method}() would hold up the event loop that runs here; {instead} instead")


async def _closed(updates: AsyncGenerator[dict[str, Any], None]) -> None:
    await updates.aclose()


def _failure(event: RunEvent | None) -> GraphRunError:
    if event is None:
        return GraphRunError("", "unknown", None, "it ended without an event")
    status = event.status or ("paused" if event.event_type is EventType.GATE_PAUSED else "unknown")
    return GraphRunError(event.run_id, status, event.blocked_by, event.reason)
