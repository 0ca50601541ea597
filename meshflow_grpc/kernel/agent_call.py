"""An agent's step: the model, the tools it calls, the model again, until it answers. Each model call is reserved before it starts."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.governance.budget import minus
from meshflow_grpc.kernel.decision import Deny, Fail, Interrupted
from meshflow_grpc.kernel.model_attempts import ModelAttempts
from meshflow_grpc.kernel.model_call import call_usage, worst_case
from meshflow_grpc.kernel.state import Execution
from meshflow_grpc.ports.provider import ModelReply, ToolResult, Turn

if TYPE_CHECKING:
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.governance.shortfall import Shortfall
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState, Toolbox

MAX_TOOL_ROUNDS = 8


def max_tool_rounds(node: Node) -> int:
    """How often an agent may answer with tool calls."""
    value = node.config.get("max_tool_rounds")
    return value if isinstance(value, int) else MAX_TOOL_ROUNDS


class AgentCall:
    """One agent's step in execution."""

    __slots__ = ("_attempts", "_labels", "_ports", "_state", "_turns")

    def __init__(self, ports: KernelPorts, state: StepState) -> None:
        self._ports = ports
        self._state = state
        self._attempts = ModelAttempts(ports, state)
        self._labels = state.labels
        self._turns: tuple[Turn, ...] = ()

    async def run(self) -> StepState | Deny | Fail:
        """Notes the execution, or says why there is none. Raises Interrupted when cancelled after spending."""
        state, attempts = self._state, self._attempts
        try:
            reply = await self._rounds()
        except asyncio.CancelledError:
            if attempts.charged != ZERO_USAGE:
                raise Interrupted(attempts.charged, attempts.prepaid) from None
            raise
        if not isinstance(reply, ModelReply):
            return reply
        state.execution = Execution(
            reply.text,
            reply.model,
            attempts.charged.of_one_step(),
            attempts.prepaid,
            attempts.attempts,
            reply.stop_reason,
            reply.confidence,
        )
        state.labels = self._labels
        return state

    async def _rounds(self) -> ModelReply | Deny | Fail:
        state, attempts = self._state, self._attempts
        if state.step.run.budget.session is not None:
            short = await attempts.reserve(state.reserved.without_steps())
            if short is not None:
                return self._exhausted(short)
        reply = await attempts.run(state.reserved)
        if isinstance(reply, Fail):
            return reply
        used = call_usage(reply, state, self._ports)
        attempts.charged = used if attempts.charged is ZERO_USAGE else attempts.charged + used
        rounds = max_tool_rounds(state.step.node) if reply.calls else 0
        while reply.calls:
            if len(self._turns) >= rounds:
                message = f"{state.step.node.id!r} still called tools after max_tool_rounds={rounds} rounds"
                return attempts.fail("TOOL_ROUNDS_EXHAUSTED", message)
            failure = await self._take_turn(reply)
            if failure is not None:
                return failure
            further = await self._further()
            if not isinstance(further, ModelReply):
                return further
            reply = further
        return reply

    async def _take_turn(self, reply: ModelReply) -> Fail | None:
        """Calls the tools, one after another, and keeps what they gave for the model's next call."""
        tools: Toolbox | None = self._state.step.tools
        if tools is None:
            named = ", ".join(sorted({call.name for call in reply.calls}))
            message = f"{self._state.step.node.id!r} called {named}, but is offered no tools"
            return self._attempts.fail("TOOL_NOT_OFFERED", message)
        results = []
        for call in reply.calls:
            answer = await tools.call(call, self._labels)
            if answer.in_doubt is not None:
                return self._attempts.fail("IN_DOUBT", answer.in_doubt)
            self._labels |= answer.labels
            results.append(ToolResult(call.call_id, answer.content, answer.is_error))
        self._turns = (*self._turns, Turn(reply.text, reply.calls, tuple(results), reply.opaque))
        return None

    async def _further(self) -> ModelReply | Deny | Fail:
        """The next call, reserved on its own, since the conversation has grown."""
        state, attempts = self._state, self._attempts
        run, tools = state.step.run, state.step.tools
        specs = tools.specs if tools else ()
        worst = worst_case(state.step.node, state.prompt, run.policy, self._ports, specs, self._turns, run.learned)
        need = worst.without_steps()
        short = run.budget.reserve(need)
        if short is not None:
            return self._exhausted(short)
        charged, prepaid = attempts.charged, attempts.prepaid
        try:
            short = await attempts.reserve(need)
            if short is not None:
                return self._exhausted(short)
            reply = await attempts.run(need, self._turns)
            if not isinstance(reply, Fail):
                attempts.charged += call_usage(reply, state, self._ports)
        finally:
            used = minus(minus(attempts.charged, charged), minus(attempts.prepaid, prepaid))
            run.budget.settle(need, used)
            attempts.prepaid += used
        return dataclasses.replace(reply, prepaid=attempts.prepaid) if isinstance(reply, Fail) else reply

    def _exhausted(self, short: Shortfall) -> Deny:
        message = f"step {self._state.step.step_id!r}, model call {len(self._turns) + 1}, {short}"
        return Deny("BUDGET_EXHAUSTED", message, short.remedy, self._attempts.charged, self._attempts.prepaid)
