"""From a node that is ready to the step that the kernel governs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, cast

from meshflow_grpc.domain.json_value import json_string
from meshflow_grpc.domain.peer_step import GRPC
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.tool import Action, Tool, ToolError
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.engine.agent_tools import AgentTools, offered_tools
from meshflow_grpc.engine.arguments import TASK, ArgumentError, references, rendered, scope
from meshflow_grpc.engine.prompt import node_input_json, node_prompt, with_conversation
from meshflow_grpc.governance.taint import given
from meshflow_grpc.kernel.state import Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.tool import ToolContext
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.engine.run_progress import RunProgress
    from meshflow_grpc.kernel.state import Closing, RunContext, StepOutcome
    from meshflow_grpc.ports.http import HttpCaller
    from meshflow_grpc.ports.tools import ToolCatalog
    from meshflow_grpc.workflow.frontier import NodeActivation, NodeRun
    from meshflow_grpc.workflow.output_schema import OutputCheck

    Govern = Callable[[Step], Awaitable[StepOutcome]]

HTTP = "http"
HTTP_FIELDS = ("method", "url", "headers", "body")
HTTP_TIMEOUT_S = 30.0
PEER_FIELDS = ("peer", "concern", "failover", "workflow")
# Requests that may be sent again without a second effect (RFC 9110, 9.2.2); DELETE is irreversible and never sent again by itself.
_REPEATABLE = frozenset({"GET", "HEAD", "PUT"})
_AGENT: Final = NodeKind.AGENT
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class StepMaker:
    """Makes the steps of one run."""

    def __init__(
        self,
        context: RunContext,
        task: str,
        progress: RunProgress,
        catalog: ToolCatalog,
        output_checks: Mapping[str, OutputCheck],
        http: HttpCaller | None,
        peer: Tool | None,
    ) -> None:
        self._http = http
        self._peer = peer
        self._given = given(context.labels)
        self._output_checks = output_checks
        self._context = context
        self._task = task
        self._task_json = json_string(task)
        self._progress = progress
        self._catalog = catalog

    def make(self, node: Node, activation: NodeActivation, govern: Govern, closing: Closing | None = None) -> Step:
        """Numbers the step and gathers its input; an agent gets its tools, a tool or python node its call.

        ``govern`` takes a step through the kernel, for calls inside an agent's loop.
        """
        progress = self._progress
        progress.steps += 1
        inputs, outputs = activation.inputs, progress.outputs
        upstream = [(run.node_id, outputs[run]) for run in inputs] if inputs else []
        written = [(run.node_id, progress.written(run)) for run in inputs] if inputs else []
        step_id = f"{activation.node_id}#{activation.iteration}"
        agent = node.kind is _AGENT
        told = self._context.conversation if agent else ()
        labels = self._labels(inputs)
        prompt = node_prompt(self._task, upstream)
        step = Step(
            self._context,
            node,
            step_id,
            progress.steps,
            with_conversation(prompt, told) if told else prompt,
            node_input_json(self._task_json, written, told),
            labels.union(*[turn.labels for turn in told]) if told else labels,
            activation.iteration,
            progress.epoch,
            progress.granted.get(activation.run) if progress.granted else None,
            progress.history.doubtful(step_id, None),
            self._output_checks.get(node.id),
            closing,
        )
        if agent:
            return self._with_tools(step, govern) if node.config.get("tools") else step
        if node.kind is NodeKind.TOOL:
            return self._tool_step(step, activation.inputs)
        if node.kind is NodeKind.PYTHON:
            return self._python_step(step, upstream)
        if node.kind is NodeKind.HTTP:
            return self._http_step(step, activation.inputs)
        if node.kind is NodeKind.GRPC:
            return self._peer_step(step, activation.inputs)
        if node.kind is NodeKind.SUBGRAPH:
            step.action = gathered(node, upstream)
        return step

    def _labels(self, runs: Sequence[NodeRun]) -> frozenset[str]:
        known, labels = self._progress.labels, self._given
        for run in runs:
            labels = labels | known[run] if known[run] else labels
        return labels

    def _with_tools(self, step: Step, govern: Govern) -> Step:
        offered = offered_tools(step.node, self._context.policy, self._catalog, self._context.tenant_id)
        step.tools = AgentTools(step, offered, self._catalog, self._progress, govern)
        return step

    def _tool_step(self, step: Step, inputs: Sequence[NodeRun]) -> Step:
        name = cast("str", step.node.config["tool"])
        template = cast("Mapping[str, JsonValue]", step.node.config.get("arguments") or {})
        return self._calling(step, inputs, template, name, self._catalog.tool(name))

    def _http_step(self, step: Step, inputs: Sequence[NodeRun]) -> Step:
        config = step.node.config
        template = {"method": "GET", **{key: config[key] for key in HTTP_FIELDS if key in config}}
        return self._calling(step, inputs, template, HTTP, http_tool(self._http, str(template["method"])))

    def _peer_step(self, step: Step, inputs: Sequence[NodeRun]) -> Step:
        """A peer is told what an agent would be, unless the node says what."""
        config = step.node.config
        whom = {key: config[key] for key in PEER_FIELDS if key in config}
        step.asked = self._progress.history.asked.get(step.step_id)
        if "task" in config:
            return self._calling(step, inputs, {"task": config["task"], **whom}, GRPC, self._peer)
        arguments = {"task": step.prompt, **whom}
        text = _json(arguments)
        step.prompt, step.input_json = text, f'{{"arguments":{text}}}'
        step.action = Action(GRPC, self._peer, arguments)
        return step

    def _calling(
        self, step: Step, inputs: Sequence[NodeRun], template: Mapping[str, JsonValue], name: str, tool: Tool | None
    ) -> Step:
        """The step as a call whose arguments are the template's, what it refers to put in."""
        inside = scope(step.node.id)
        used = [run for ref in references(template) if (run := self._progress.latest(inside + ref)) is not None]
        problem, arguments = None, template
        try:
            arguments = cast(
                "Mapping[str, JsonValue]", rendered(dict(template), lambda ref: self._look_up(inside, ref))
            )
        except ArgumentError as error:
            problem = str(error)
        text = _json(arguments)
        step.prompt, step.input_json = text, f'{{"arguments":{text}}}'
        step.labels = self._labels([*inputs, *used])
        step.action = Action(name, tool, arguments, problem=problem)
        return step

    def _look_up(self, inside: str, name: str) -> str:
        if name == TASK:
            return self._task
        run = self._progress.latest(inside + name)
        if run is None:
            raise ArgumentError(f"${{{name}}}: node {name!r} gave no output in this run")
        return self._progress.outputs[run]

    def _python_step(self, step: Step, upstream: Sequence[tuple[str, str]]) -> Step:
        ref = cast("str", step.node.config["ref"])
        data: dict[str, JsonValue] = {"task": self._task, "upstream": dict(upstream)}
        step.prompt = _json(data)
        step.action = Action(ref, self._catalog.function_of(ref), data, is_tool=False)
        return step


def gathered(node: Node, upstream: Sequence[tuple[str, str]]) -> Action:
    """What the end of a subgraph does: it gives on its workflow's output, as a run of that workflow alone would."""
    outputs = {name.removeprefix(f"{node.id}."): output for name, output in upstream}
    text = upstream[0][1] if len(upstream) == 1 else _json(outputs)

    async def call(_arguments: Mapping[str, JsonValue], _context: ToolContext) -> str:
        return text

    name = cast("str", node.config["workflow"])
    tool = Tool(name, "", {}, call, lambda _: None, RiskTier.READ_ONLY, frozenset(), idempotent=True)
    return Action(name, tool, {}, is_tool=False)


async def _at_a_peer(_arguments: Mapping[str, JsonValue], _context: ToolContext) -> str:
    raise ToolError("a peer is called by the kernel alone")


# A grpc node's call, as policies see it.
PEER_TOOL = Tool(GRPC, "", {}, _at_a_peer, lambda _: None, RiskTier.INTERNAL, idempotent=True)


def http_tool(http: HttpCaller | None, method: str) -> Tool | None:
    """An http node's request as a tool of the name ``http``; its risk is that of method and target."""
    if http is None:
        return None
    repeatable = method in _REPEATABLE
    return Tool(
        HTTP, "", {}, http.call, lambda _: None, RiskTier.EXTERNAL_IO, idempotent=repeatable, timeout_s=HTTP_TIMEOUT_S
    )
