"""Mesh: agents under one roof, the workflows they carry out, and handlers that are told what happens."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import structlog

from meshflow_grpc.domain.event import EventType, RunEvent
from meshflow_grpc.domain.run import RunRequest
from meshflow_grpc.domain.workflow import NodeKind, Workflow
from meshflow_grpc.graph.agent import Agent
from meshflow_grpc.graph.definition import WorkflowDefinition
from meshflow_grpc.graph.local import LOCAL, local_runtime
from meshflow_grpc.graph.program_request import program_request
from meshflow_grpc.graph.result import WorkflowResult
from meshflow_grpc.tools.registry import Registry
from meshflow_grpc.workflow.yaml_codec import dump_workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.app import Runtime
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.governance.policy_document import AnyPolicy

_log = structlog.get_logger(__name__)
Handler: TypeAlias = Callable[[RunEvent], Awaitable[None] | None]


class MeshEvent(StrEnum):
    """What handlers can be told of. The values are the names of events on the wire."""

    RUN_STARTED = EventType.RUN_STARTED.value
    STEP_COMPLETE = EventType.AGENT_COMPLETED.value
    LOOP_ITERATION = EventType.LOOP_ITERATION.value
    GATE_PAUSED = EventType.GATE_PAUSED.value
    POLICY_VIOLATION = EventType.POLICY_VIOLATION.value
    RUN_COMPLETE = EventType.RUN_COMPLETED.value


class Mesh:
    """A control plane in the caller's process. ``ledger`` is where runs are recorded (default: as MESHFLOW_LEDGER_DB says)."""

    def __init__(self, *, ledger: str | None = None, registry: Registry | None = None) -> None:
        """``registry`` holds tools and functions that workflows name beside those of the agents."""
        self._ledger = ledger
        self._registry = registry
        self._agents: dict[str, Agent] = {}
        self._handlers: dict[MeshEvent, list[Handler]] = {}

    def register(self, agent: Agent) -> None:
        """Takes an agent in; it executes the nodes of its name. Raises ValueError when the name is taken."""
        if not isinstance(agent, Agent):
            raise TypeError(f"register() takes an Agent, not {type(agent).__name__}")
        if agent.name in self._agents:
            raise ValueError(f"there are two agents named {agent.name!r}")
        self._agents[agent.name] = agent

    def on(self, event: MeshEvent, handler: Handler) -> None:
        """Calls the handler, a function or a coroutine function, with each such event once its entry is durable.

        Handlers of a run are called one after another, in the order of its chain; what one raises is logged and changes nothing.
        """
        if not callable(handler):
            raise TypeError(f"the handler must be a function of the event, not {type(handler).__name__}")
        self._handlers.setdefault(MeshEvent(event), []).append(handler)

    async def run_workflow(
        self,
        workflow: WorkflowDefinition | Workflow,
        input: str | Mapping[str, JsonValue],  # noqa: A002 - the name callers use
        *,
        policy: AnyPolicy | None = None,
    ) -> WorkflowResult:
        """Runs a workflow with the registered agents, governed and recorded; returns when it ended or waits for a human."""
        if not isinstance(workflow, WorkflowDefinition | Workflow):
            raise TypeError(
                f"the workflow must be a WorkflowDefinition, as from_yaml() gives, not {type(workflow).__name__}"
            )
        definition = workflow if isinstance(workflow, WorkflowDefinition) else WorkflowDefinition.of(workflow)
        request = program_request(input, policy, dump_workflow(self._staffed(definition.build())))
        async with local_runtime(self._tools(), self._ledger) as runtime:
            run_id = await self._follow(runtime, request)
            run = await runtime.commands.get_run.execute(LOCAL, run_id)
            return WorkflowResult.of(run)

    async def _follow(self, runtime: Runtime, request: RunRequest) -> str:
        run_id = ""
        async with aclosing(runtime.commands.stream_run.execute(LOCAL, request)) as events:
            async for event in events:
                run_id = event.run_id
                await self._tell(event)
        return run_id

    async def _tell(self, event: RunEvent) -> None:
        for handler in self._handlers.get(cast("MeshEvent", event.event_type.value), ()):
            try:
                answer = handler(event)
                if inspect.isawaitable(answer):
                    await answer
            except Exception:  # noqa: BLE001 - a handler is the application's and only looks on
                _log.exception("mesh_handler_failed", event_type=event.event_type.value, run_id=event.run_id)

    def _staffed(self, workflow: Workflow) -> Workflow:
        return replace(workflow, nodes=tuple(map(self._by_agent, workflow.nodes)))

    def _by_agent(self, node: Node) -> Node:
        """The node with what its agent brings; the workflow's own words win, and the higher risk."""
        agent = self._agents.get(node.id)
        if agent is None or node.kind is not NodeKind.AGENT:
            return node
        own = agent.node()
        return replace(
            node, role=node.role or own.role, risk=max(node.risk, own.risk), config={**own.config, **node.config}
        )

    def _tools(self) -> Registry:
        tools: dict[str, Any] = {}
        for agent in self._agents.values():
            for each in agent.own_tools():
                if tools.setdefault(each.name, each) != each:
                    raise ValueError(f"two agents bring different tools named {each.name!r}")
        return (self._registry or Registry()).with_tools(*tools.values())
