"""One model call of an agent's step, behind breaker, retries and time-outs. Every attempt is reserved before it starts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.kernel.decision import Fail
from meshflow_grpc.kernel.durable_reservation import DurableReservations
from meshflow_grpc.kernel.model_call import model_request
from meshflow_grpc.kernel.retry import attempt_timeout_s, pause_s, retries_of
from meshflow_grpc.kernel.token_deltas import TokenDeltas
from meshflow_grpc.ports.provider import ProviderError, ProviderFault
from meshflow_grpc.ports.tracer import NoTracer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshflow_grpc.governance.circuit_breaker import CircuitBreaker
    from meshflow_grpc.governance.shortfall import Shortfall
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState
    from meshflow_grpc.ports.provider import ModelReply, ModelRequest, Turn

# Faults after which the provider may have done, and billed, the work.
MAYBE_BILLED = frozenset({ProviderFault.TIMEOUT, ProviderFault.FAILED})


class ModelAttempts:
    """The model calls of one agent's step, attempt by attempt, and what they used.

    ``charged`` is all of that, ``prepaid`` the part that the budget has settled already.
    """

    __slots__ = (
        "_breaker",
        "_deltas",
        "_ports",
        "_reservations",
        "_state",
        "_timeout",
        "attempts",
        "charged",
        "prepaid",
    )

    def __init__(self, ports: KernelPorts, state: StepState) -> None:
        step = state.step
        self._ports = ports
        self._state = state
        self._deltas = None if step.deltas is None else TokenDeltas.of(state, ports)
        self._breaker: CircuitBreaker = ports.breakers.of(f"{step.run.tenant_id}/{ports.provider.name}/{step.node.id}")
        self._timeout = attempt_timeout_s(state)
        self._reservations: DurableReservations | None = None
        self.charged = self.prepaid = ZERO_USAGE
        self.attempts = 0

    def fail(self, reason: str, message: str) -> Fail:
        """The step failed after these attempts."""
        return Fail(reason, message, self.charged + Usage(steps=1), self.prepaid)

    async def reserve(self, need: Usage) -> Shortfall | None:
        """Makes durable what the next attempt may cost on top of what the step was charged; see DurableReservations."""
        if self._reservations is None:
            self._reservations = DurableReservations(self._ports, self._state)
            if self.attempts:
                # The first call was begun without one.
                self._reservations.implied()
        return await self._reservations.reserve(self.charged, need)

    async def run(self, reserved: Usage, turns: tuple[Turn, ...] = ()) -> ModelReply | Fail:
        """One call. Returns the reply, not yet charged, or why there is none.

        ``reserved`` is the worst case of one attempt, reserved by the caller for the last of them.
        """
        step, attempt = self._state.step, 1
        config = step.run.policy.circuit_breaker
        while True:
            ticket = self._breaker.admit(config, self._ports.clock.monotonic())
            if not ticket:
                return self.fail("CIRCUIT_OPEN", f"the circuit breaker of {step.node.id!r} is open")
            self.attempts += 1
            try:
                reply = await (
                    self._call(attempt, turns, None)
                    if self._deltas is None
                    else self._shown(attempt, turns, self._deltas)
                )
            except ProviderError as error:
                fault = error
            except BaseException:
                self._breaker.release(ticket)
                self.charged += reserved.without_steps()  # broken off: the provider may bill it in full
                raise
            else:
                self._breaker.record_success(ticket)
                return reply
            self._breaker.record_failure(ticket, config, self._ports.clock.monotonic())
            refusal = await self._before_retry(fault, attempt, reserved.without_steps())
            if refusal is not None:
                return refusal
            attempt += 1

    async def _shown(self, attempt: int, turns: tuple[Turn, ...], deltas: TokenDeltas) -> ModelReply:
        """One attempt, its answer shown as it comes to those who watch."""
        await deltas.begin()
        try:
            reply = await self._call(attempt, turns, deltas.take)
        except ProviderError:
            deltas.take_back()
            raise
        deltas.answered(reply)
        return reply

    def _call(
        self, attempt: int, turns: tuple[Turn, ...], on_delta: Callable[[str], None] | None
    ) -> Awaitable[ModelReply]:
        ports = self._ports
        request = model_request(self._state, attempt, ports.provider.default_model, turns)
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

    async def _before_retry(self, fault: ProviderError, attempt: int, again: Usage) -> Fail | None:
        """Waits before the next attempt, or says why there is none."""
        run = self._state.step.run
        maybe_billed = fault.fault in MAYBE_BILLED
        if maybe_billed:
            self.charged += again
        reason = "STEP_TIMEOUT" if fault.fault is ProviderFault.TIMEOUT else "AGENT_FAILED"
        text = f"attempt {attempt} of {self._state.step.node.id!r} failed ({fault.fault.value}): {fault.message}"
        if not fault.retryable or attempt > retries_of(self._state):
            return self.fail(reason, text)
        pause = pause_s(attempt, self._ports, fault.retry_after_s)
        if self._ports.clock.monotonic() + pause >= run.deadline:
            return self.fail(reason, f"{text}; no time is left to retry")
        if maybe_billed:
            short = run.budget.reserve(again)
            if short is not None:
                return self.fail(reason, f"{text}; a retry {short}; {short.remedy}")
            run.budget.settle(again, again)
            self.prepaid += again
            short = await self.reserve(again)
            if short is not None:
                return self.fail(reason, f"{text}; a retry {short}; {short.remedy}")
        await asyncio.sleep(pause)
        return None
