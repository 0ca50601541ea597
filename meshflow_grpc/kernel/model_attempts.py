"""One model call of an agent's step, behind breaker, retries and time-outs. Every attempt is reserved before it starts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.kernel.decision import Fail
from meshflow_grpc.kernel.model_call import model_request
from meshflow_grpc.kernel.retry import attempt_timeout_s, pause_s, retries_of
from meshflow_grpc.ports.provider import ProviderError, ProviderFault
from meshflow_grpc.ports.tracer import NoTracer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshflow_grpc.governance.circuit_breaker import CircuitBreaker
    from meshflow_grpc.kernel.durable_reservation import DurableReservations
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState
    from meshflow_grpc.kernel.token_deltas import TokenDeltas
    from meshflow_grpc.ports.provider import ModelReply, ModelRequest, Turn

# Faults after which the provider may have done, and billed, the work.
MAYBE_BILLED = frozenset({ProviderFault.TIMEOUT, ProviderFault.FAILED})


class Spending:
    """What a step used so far: ``charged`` in all, ``prepaid`` the part that the budget has settled already."""

    __slots__ = ("attempts", "charged", "prepaid")

    def __init__(self) -> None:
        self.charged = self.prepaid = ZERO_USAGE
        self.attempts = 0

    def fail(self, reason: str, message: str) -> Fail:
        """The step failed after this spending."""
        return Fail(reason, message, self.charged + Usage(steps=1), self.prepaid)


class ModelAttempts:
    """The attempts of one call. ``reserved`` is the worst case of one attempt, reserved by the caller for the last of them."""

    def __init__(
        self,
        ports: KernelPorts,
        state: StepState,
        spending: Spending,
        reservations: DurableReservations,
        reserved: Usage,
        turns: tuple[Turn, ...],
        deltas: TokenDeltas | None = None,
    ) -> None:
        self._ports = ports
        self._state = state
        self._spending = spending
        self._reservations = reservations
        self._again = reserved
        self._turns = turns
        self._deltas = deltas
        node, policy = state.step.node, state.step.run.policy
        self._breaker: CircuitBreaker = ports.breakers.of(f"{state.step.run.tenant_id}/{ports.provider.name}/{node.id}")
        self._config = policy.circuit_breaker
        self._retries = retries_of(state)
        self._timeout = attempt_timeout_s(state)

    async def run(self) -> ModelReply | Fail:
        """Returns the reply, not yet charged, or why there is none."""
        attempt = 1
        while True:
            ticket = self._breaker.admit(self._config, self._ports.clock.monotonic())
            if not ticket:
                message = f"the circuit breaker of {self._state.step.node.id!r} is open"
                return self._spending.fail("CIRCUIT_OPEN", message)
            fault = None
            self._spending.attempts += 1
            try:
                reply = await (
                    self._call(attempt, None) if self._deltas is None else self._shown(attempt, self._deltas)
                )
            except ProviderError as error:
                fault = error
            except BaseException:
                self._breaker.release(ticket)
                self._spending.charged += self._again  # broken off: the provider may bill it in full
                raise
            if fault is None:
                self._breaker.record_success(ticket)
                return reply
            self._breaker.record_failure(ticket, self._config, self._ports.clock.monotonic())
            refusal = await self._before_retry(fault, attempt)
            if refusal is not None:
                return refusal
            attempt += 1

    async def _shown(self, attempt: int, deltas: TokenDeltas) -> ModelReply:
        """One attempt, its answer shown as it comes to those who watch."""
        await deltas.begin()
        try:
            reply = await self._call(attempt, deltas.take)
        except ProviderError:
            deltas.take_back()
            raise
        deltas.answered(reply)
        return reply

    def _call(self, attempt: int, on_delta: Callable[[str], None] | None) -> Awaitable[ModelReply]:
        ports = self._ports
        request = model_request(self._state, attempt, ports.provider.default_model, self._turns)
        if not isinstance(ports.tracer, NoTracer):
            return self._traced(request, on_delta)
        return self._answer(request, on_delta)

    def _answer(self, request: ModelRequest, on_delta: Callable[[str], None] | None) -> Awaitable[ModelReply]:
        return (self._in_time if self._timeout else self._ports.provider.complete)(request, on_delta)

    async def _traced(self, request: ModelRequest, on_delta: Callable[[str], None] | None) -> ModelReply:
        with self._ports.tracer.model_call(request.model, request.attempt) as span:
            reply = await self._answer(request, on_delta)
            span.ended(reply.stop_reason, Usage(reply.input_tokens, reply.output_tokens))
            return reply

    async def _in_time(self, request: ModelRequest, on_delta: Callable[[str], None] | None) -> ModelReply:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._ports.provider.complete(request, on_delta)
        except TimeoutError:
            message = f"no answer within {self._timeout:g} s"
            raise ProviderError(ProviderFault.TIMEOUT, message, retryable=True) from None

    async def _before_retry(self, fault: ProviderError, attempt: int) -> Fail | None:
        """Waits before the next attempt, or says why there is none."""
        run, spending = self._state.step.run, self._spending
        maybe_billed = fault.fault in MAYBE_BILLED
        if maybe_billed:
            spending.charged += self._again
        reason = "STEP_TIMEOUT" if fault.fault is ProviderFault.TIMEOUT else "AGENT_FAILED"
        text = f"attempt {attempt} of {self._state.step.node.id!r} failed ({fault.fault.value}): {fault.message}"
        if not fault.retryable or attempt > self._retries:
            return spending.fail(reason, text)
        pause = pause_s(attempt, self._ports, fault.retry_after_s)
        if self._ports.clock.monotonic() + pause >= run.deadline:
            return spending.fail(reason, f"{text}; no time is left to retry")
        if maybe_billed:
            short = run.budget.reserve(self._again)
            if short is not None:
                return spending.fail(reason, f"{text}; a retry {short}; {short.remedy}")
            run.budget.settle(self._again, self._again)
            spending.prepaid += self._again
            short = await self._reservations.reserve(spending.charged, self._again)
            if short is not None:
                return spending.fail(reason, f"{text}; a retry {short}; {short.remedy}")
        await asyncio.sleep(pause)
        return None
