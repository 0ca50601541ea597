"""The tools of an agent's step: each call is a step of its own, recorded under the agent's."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.tool import Action
from meshflow_grpc.governance.tool_permission import tool_refusal
from meshflow_grpc.kernel.decision import Verdict
from meshflow_grpc.kernel.state import ToolAnswer
from meshflow_grpc.ports.provider import ToolSpec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.domain.tool import Tool
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.engine.run_progress import RunProgress
    from meshflow_grpc.kernel.state import Step, StepOutcome
    from meshflow_grpc.ports.provider import ToolCall
    from meshflow_grpc.ports.tools import ToolCatalog


def offered_tools(node: Node, policy: Policy, catalog: ToolCatalog, tenant_id: str) -> Mapping[str, Tool]:
    """What an agent is offered: the tools its node names, as far as the policy permits them and they serve the tenant."""
    names = cast("Sequence[str]", node.config.get("tools") or ())
    found = {name: catalog.tool(name) for name in names if tool_refusal(policy, name) is None}
    return {name: tool for name, tool in found.items() if tool is not None and tool.serves(tenant_id)}


def specs_of(tools: Mapping[str, Tool]) -> tuple[ToolSpec, ...]:
    """What a model is told of them."""
    return tuple(ToolSpec(tool.name, tool.description, tool.parameters) for tool in tools.values())


class AgentTools:
    """Implements kernel.state.Toolbox for one step of an agent."""

    def __init__(
        self,
        parent: Step,
        offered: Mapping[str, Tool],
        catalog: ToolCatalog,
        progress: RunProgress,
        govern: Callable[[Step], Awaitable[StepOutcome]],
    ) -> None:
        self.specs = specs_of(offered)
        self._offered = offered
        self._parent = parent
        self._catalog = catalog
        self._progress = progress
        self._govern = govern
        self._calls = 0

    async def call(self, call: ToolCall, labels: frozenset[str]) -> ToolAnswer:
        """Takes the call through the kernel, or answers it from the ledger when an earlier life of the run has made it.

        A refusal or a failure is told to the model, which may go on without the tool; only doubt ends the agent's step.
        """
        self._calls += 1
        parent, history = self._parent, self._progress.history
        step_id = f"{parent.step_id}/tool#{self._calls}"
        known = history.answer(step_id, call.name, call.arguments)
        if known is not None:
            return ToolAnswer(known.output or "", labels=known.labels)
        try:
            text = json.dumps(call.arguments, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except ValueError:
            return ToolAnswer("the arguments are not JSON", is_error=True)
        outcome = await self._govern(self._step(call, labels, step_id, text))
        if outcome.verdict is Verdict.COMMITTED:
            return ToolAnswer(outcome.output, labels=outcome.labels)
        message = outcome.reason or "the call was refused"
        if outcome.entry.facts.get("reason") == "IN_DOUBT":
            return ToolAnswer(message, is_error=True, in_doubt=message)
        return ToolAnswer(message, is_error=True)

    def _step(self, call: ToolCall, labels: frozenset[str], step_id: str, text: str) -> Step:
        parent, progress = self._parent, self._progress
        progress.steps += 1
        action = Action(
            call.name,
            self._catalog.tool(call.name),
            call.arguments,
            offered=call.name in self._offered,
            parent=parent.step_id,
            call_id=call.call_id,
        )
        return dataclasses.replace(
            parent,
            step_id=step_id,
            number=progress.steps,
            prompt=text,
            input_json=f'{{"arguments":{text}}}',
            labels=labels,
            live=None,
            deltas=None,
            granted=None,
            action=action,
            tools=None,
            output_check=None,
            closing=None,
            in_doubt=progress.history.doubtful(step_id, parent.step_id),
        )
