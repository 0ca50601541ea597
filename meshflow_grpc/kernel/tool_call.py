"""The step of a tool or a python node: the call, behind breaker, retries and time-outs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.tool import ToolContext, ToolError
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.kernel.call_record import idempotency_key
from meshflow_grpc.kernel.decision import Deny, Fail
from meshflow_grpc.kernel.retry import attempt_timeout_s, pause_s, retries_of
from meshflow_grpc.kernel.state import Execution

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.tool import Action, Tool
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState

_ONE_STEP = Usage(steps=1)
# How long a coroutine may take to end after it was cancelled; then it is left alone.
GRACE_S = 0.5


class _TimedOutError(Exception):
    """The attempt took too long."""


async def call_tool(ports: KernelPorts, state: StepState, action: Action, tool: Tool) -> StepState | Deny | Fail:
    """Notes the execution, or says why there is none."""
    arguments = call_arguments(state, action)
    if arguments is None:
        message = f"{action.name!r}: masking sensitive data made the arguments unreadable; give such values as text"
        return Deny("CALL_UNREADABLE", message, "give such values as text")
    return await _ToolAttempts(ports, state, action, tool).run(arguments)


def call_arguments(state: StepState, action: Action) -> Mapping[str, JsonValue] | None:
    """What passed the input stages: with scrub_pii the tool sees what the ledger keeps."""
    if state.masked is None:
        return action.arguments
    try:
        document = json.loads(state.prompt)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


class _ToolAttempts:
    def __init__(self, ports: KernelPorts, state: StepState, action: Action, tool: Tool) -> None:
        self._ports = ports
        self._state = state
        self._action = action
        self._tool = tool
        kind = "tool" if action.is_tool else "function"
        self._breaker = ports.breakers.of(f"{state.step.run.tenant_id}/{kind}/{action.name}")
        self._config = state.step.run.policy.circuit_breaker
        self._timeout = attempt_timeout_s(state, tool.timeout_s)

    async def run(self, arguments: Mapping[str, JsonValue]) -> StepState | Fail:
        attempt = 1
        while True:
            ticket = self._breaker.admit(self._config, self._ports.clock.monotonic())
            if not ticket:
                return _failed("CIRCUIT_OPEN", f"the circuit breaker of {self._action.name!r} is open")
            try:
                output = await self._attempt(arguments, attempt)
            except (ToolError, _TimedOutError) as error:
                self._breaker.record_failure(ticket, self._config, self._ports.clock.monotonic())
                failure = await self._before_retry(error, attempt)
            except BaseException:
                self._breaker.release(ticket)
                raise
            else:
                self._breaker.record_success(ticket)
                self._state.execution = Execution(output, "", _ONE_STEP, ZERO_USAGE, attempt)
                self._state.labels |= self._tool.labels
                return self._state
            if failure is not None:
                return failure
            attempt += 1

    async def _attempt(self, arguments: Mapping[str, JsonValue], attempt: int) -> str:
        step = self._state.step
        over = False
        context = ToolContext(
            step.run.run_id, step.run.tenant_id, step.step_id, attempt, idempotency_key(step), lambda: over
        )
        try:
            return await _within(self._invoke(arguments, context), self._timeout)
        finally:
            over = True

    async def _invoke(self, arguments: Mapping[str, JsonValue], context: ToolContext) -> str:
        return await self._tool.call(arguments, context)

    async def _before_retry(self, error: ToolError | _TimedOutError, attempt: int) -> Fail | None:
        """Waits before the next attempt, or says why there is none: what may have acted is not simply done again."""
        timed_out = isinstance(error, _TimedOutError)
        text = f"attempt {attempt} of {self._action.name!r} failed: {error}"
        reason = "STEP_TIMEOUT" if timed_out else "TOOL_FAILED"
        if not self._retryable(error) or attempt > retries_of(self._state):
            return _failed(reason, text)
        pause = pause_s(attempt, self._ports)
        if self._ports.clock.monotonic() + pause >= self._state.step.run.deadline:
            return _failed(reason, f"{text}; no time is left to retry")
        await asyncio.sleep(pause)
        return None

    def _retryable(self, error: ToolError | _TimedOutError) -> bool:
        if self._state.risk >= RiskTier.IRREVERSIBLE:
            return False
        if isinstance(error, ToolError):
            return error.retryable
        return self._state.risk < RiskTier.EXTERNAL_IO or self._tool.idempotent


def _failed(reason: str, message: str) -> Fail:
    return Fail(reason, message, _ONE_STEP)


async def _within(work: Coroutine[object, object, str], timeout_s: float) -> str:
    """Awaits the work for so long. Cancelled or out of time, the work is cancelled and given a moment to end."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=timeout_s or None)
        if not task.done():
            raise _TimedOutError(f"no answer within {timeout_s:g} s")
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE_S)
        if task.done() and not task.cancelled():
            task.exception()
    if task.cancelled():
        raise ToolError("it cancelled itself")
    return task.result()
