"""An agent's step: the model, the tools it calls, the model again, until it answers. Each model call is reserved before it starts."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.governance.budget import minus
from meshflow_grpc.kernel.decision import Deny, Fail, Interrupted
from meshflow_grpc.kernel.durable_reservation import DurableReservations
from meshflow_grpc.kernel.model_attempts import ModelAttempts, Spending
from meshflow_grpc.kernel.model_call import call_usage, worst_case
from meshflow_grpc.kernel.state import Execution
from meshflow_grpc.kernel.token_deltas import TokenDeltas
from meshflow_grpc.ports.provider import ModelReply, ToolResult, Turn

if TYPE_CHECKING:
    from meshflow_grpc.domain.usage import Usage
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

    def __init__(self, ports: KernelPorts, state: StepState) -> None:
        self._ports = ports
        self._state = state
        self._spending = Spending()
        self._reservations = DurableReservations(ports, state)
        self._labels = state.labels
        self._turns: tuple[Turn, ...] = ()
        self._deltas = None if state.step.deltas is None else TokenDeltas.of(state, ports)

    async def run(self) -> StepState | Deny | Fail:
        """Returns the state with its execution, or why there is none. Raises Interrupted when cancelled after spending."""
        try:
            reply = await self._rounds()
        except asyncio.CancelledError:
            if self._spending.charged != ZERO_USAGE:
                raise Interrupted(self._spending.charged, self._spending.prepaid) from None
            raise
        if not isinstance(reply, ModelReply):
            return reply
        spending = self._spending
        execution = Execution(
            reply.text,
            reply.model,
            spending.charged.of_one_step(),
            spending.prepaid,
            spending.attempts,
            reply.stop_reason,
            reply.confidence,
        )
        return self._state.executed(execution, self._labels)

    async def _rounds(self) -> ModelReply | Deny | Fail:
        state, spending = self._state, self._spending
        first = state.reserved.without_steps()
        if not self._reservations.implied():
            short = await self._reservations.reserve(spending.charged, first)
            if short is not None:
                return self._exhausted(short)
        reply = await ModelAttempts(self._ports, state, spending, self._reservations, first, (), self._deltas).run()
        if isinstance(reply, Fail):
            return reply
        used = self._used(reply)
        spending.charged = used if spending.charged is ZERO_USAGE else spending.charged + used
        rounds = max_tool_rounds(state.step.node) if reply.calls else 0
        while reply.calls:
            if len(self._turns) >= rounds:
                message = f"{state.step.node.id!r} still called tools after max_tool_rounds={rounds} rounds"
                return spending.fail("TOOL_ROUNDS_EXHAUSTED", message)
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
            return self._spending.fail("TOOL_NOT_OFFERED", message)
        results = []
        for call in reply.calls:
            answer = await tools.call(call, self._labels)
            if answer.in_doubt is not None:
                return self._spending.fail("IN_DOUBT", answer.in_doubt)
            self._labels |= answer.labels
            results.append(ToolResult(call.call_id, answer.content, answer.is_error))
        self._turns = (*self._turns, Turn(reply.text, reply.calls, tuple(results), reply.opaque))
        return None

    async def _further(self) -> ModelReply | Deny | Fail:
        """The next call, reserved on its own, since the conversation has grown."""
        state, spending = self._state, self._spending
        run, tools = state.step.run, state.step.tools
        specs = tools.specs if tools else ()
        worst = worst_case(state.step.node, state.prompt, run.policy, self._ports, specs, self._turns, run.learned)
        need = worst.without_steps()
        short = run.budget.reserve(need)
        if short is not None:
            return self._exhausted(short)
        charged, prepaid = spending.charged, spending.prepaid
        try:
            short = await self._reservations.reserve(charged, need)
            if short is not None:
                return self._exhausted(short)
            reply = await ModelAttempts(
                self._ports, state, spending, self._reservations, need, self._turns, self._deltas
            ).run()
            if not isinstance(reply, Fail):
                spending.charged += self._used(reply)
        finally:
            used = minus(minus(spending.charged, charged), minus(spending.prepaid, prepaid))
            run.budget.settle(need, used)
            spending.prepaid += used
        return dataclasses.replace(reply, prepaid=spending.prepaid) if isinstance(reply, Fail) else reply

    def _exhausted(self, short: Shortfall) -> Deny:
        message = f"step {self._state.step.step_id!r}, model call {len(self._turns) + 1}, {short}"
        return Deny("BUDGET_EXHAUSTED", message, short.remedy, self._spending.charged, self._spending.prepaid)

    def _used(self, reply: ModelReply) -> Usage:
        return call_usage(reply, self._state, self._ports)
