"""Stage 12: the step does its work, behind breaker, retries and time-outs."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING, ClassVar

from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.kernel.decision import Fail
from meshflow_grpc.kernel.model_call import call_usage, model_request
from meshflow_grpc.kernel.state import Execution
from meshflow_grpc.ports.provider import ProviderError, ProviderFault

if TYPE_CHECKING:
    from meshflow_grpc.governance.circuit_breaker import CircuitBreaker
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState
    from meshflow_grpc.ports.provider import ModelReply

BACKOFF_S = 0.2
BACKOFF_MAX_S = 10.0
# Faults after which the provider may have done, and billed, the work.
MAYBE_BILLED = frozenset({ProviderFault.TIMEOUT, ProviderFault.FAILED})


class ExecutionStage:
    """Calls the node's agent. Every attempt is reserved in the budget before it starts."""

    name: ClassVar[str] = "execution"

    def __init__(self, ports: KernelPorts) -> None:
        self._ports = ports

    async def apply(self, state: StepState) -> StepState | Fail:
        """Returns the state with its execution, or why it failed; cancellation passes through."""
        if state.step.node.kind is NodeKind.HUMAN:
            return dataclasses.replace(state, execution=_human_answer(state))
        attempts = _Attempts(self._ports, state)
        result = await attempts.run()
        if isinstance(result, Fail):
            return result
        return dataclasses.replace(state, execution=result)


def _human_answer(state: StepState) -> Execution:
    """The output of a gate: what the reviewer decided and said. Stage 9 lets no gate pass without an approval."""
    granted = state.step.granted
    if granted is None:
        message = f"gate {state.step.step_id!r} was reached without an approval"
        raise ValueError(message)
    answer = {"comment": granted.comment, "decision": "approve", "reviewer": granted.reviewer}
    output = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return Execution(output, "", Usage(steps=1), ZERO_USAGE, 1, 0)


class _Attempts:
    """The attempts of one step."""

    def __init__(self, ports: KernelPorts, state: StepState) -> None:
        self._ports = ports
        self._state = state
        node, policy = state.step.node, state.step.run.policy
        self._breaker: CircuitBreaker = ports.breakers.of(f"{state.step.run.tenant_id}/{ports.provider.name}/{node.id}")
        self._config = policy.circuit_breaker
        self._retries = self._config.max_retries if node.max_retries is None else node.max_retries
        self._timeout = min((t for t in (policy.step_timeout_s, node.timeout_s) if t > 0), default=0.0)
        self._again = dataclasses.replace(state.reserved, steps=0)
        self._charged = self._prepaid = ZERO_USAGE

    async def run(self) -> Execution | Fail:
        started = self._ports.clock.monotonic()
        attempt = 1
        while True:
            if not self._breaker.admit(self._config, self._ports.clock.monotonic()):
                return self._failed("CIRCUIT_OPEN", f"the circuit breaker of {self._state.step.node.id!r} is open")
            fault = None
            try:
                reply = await self._call(attempt)
            except ProviderError as error:
                fault = error
            except BaseException:
                self._breaker.release()
                raise
            if fault is None:
                self._breaker.record_success()
                return self._done(reply, attempt, started)
            self._breaker.record_failure(self._config, self._ports.clock.monotonic())
            refusal = await self._before_retry(fault, attempt)
            if refusal is not None:
                return refusal
            attempt += 1

    async def _call(self, attempt: int) -> ModelReply:
        request = model_request(self._state, attempt, self._ports.provider.default_model)
        if not self._timeout:
            return await self._ports.provider.complete(request)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._ports.provider.complete(request)
        except TimeoutError:
            message = f"no answer within {self._timeout:g} s"
            raise ProviderError(ProviderFault.TIMEOUT, message, retryable=True) from None

    async def _before_retry(self, fault: ProviderError, attempt: int) -> Fail | None:
        """Waits before the next attempt, or says why there is none."""
        run = self._state.step.run
        maybe_billed = fault.fault in MAYBE_BILLED
        if maybe_billed:
            self._charged += self._again
        reason = "STEP_TIMEOUT" if fault.fault is ProviderFault.TIMEOUT else "AGENT_FAILED"
        text = f"attempt {attempt} of {self._state.step.node.id!r} failed ({fault.fault.value}): {fault.message}"
        if not fault.retryable or attempt > self._retries:
            return self._failed(reason, text)
        pause = max(
            min(BACKOFF_S * 2 ** (attempt - 1), BACKOFF_MAX_S) * (0.5 + self._ports.jitter()),
            fault.retry_after_s or 0.0,
        )
        if self._ports.clock.monotonic() + pause >= run.deadline:
            return self._failed(reason, f"{text}; no time is left to retry")
        if maybe_billed:
            short = run.budget.reserve(self._again)
            if short is not None:
                return self._failed(reason, f"{text}; a retry {short}")
            run.budget.settle(self._again, self._again)
            self._prepaid += self._again
        await asyncio.sleep(pause)
        return None

    def _done(self, reply: ModelReply, attempt: int, started: float) -> Execution:
        usage = call_usage(reply, self._state, self._ports) + self._charged
        latency = round((self._ports.clock.monotonic() - started) * 1000)
        return Execution(
            reply.text, reply.model, usage, self._prepaid, attempt, latency, reply.stop_reason, reply.confidence
        )

    def _failed(self, reason: str, message: str) -> Fail:
        return Fail(reason, message, self._charged + Usage(steps=1), self._prepaid)
