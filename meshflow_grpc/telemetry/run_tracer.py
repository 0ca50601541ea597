"""Traces runs, steps and model calls with OpenTelemetry. Payloads never appear in a span."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshflow_grpc.domain.usage import grams, usd
from meshflow_grpc.telemetry import span_names as names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer as OtelTracer
    from opentelemetry.util.types import AttributeValue

    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.domain.workflow import Node


_W3C = TraceContextTextMapPropagator()


class _Span:
    """Implements ports.tracer.Span."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def ended(self, outcome: str, usage: Usage, reason: str | None = None) -> None:
        """See ports.tracer.Span; a refusal by governance is an outcome, only a failure is an error."""
        span = self._span
        span.set_attribute(names.OUTCOME, outcome)
        if usage.tokens:
            span.set_attribute(names.INPUT_TOKENS, usage.input_tokens)
            span.set_attribute(names.OUTPUT_TOKENS, usage.output_tokens)
        if usage.cost_nano_usd:
            span.set_attribute(names.COST_USD, usd(usage.cost_nano_usd))
            span.set_attribute(names.CARBON_G, grams(usage.carbon_ug))
        if reason is not None:
            span.set_attribute(names.REASON, reason)
        if outcome == "failed":
            span.set_status(Status(StatusCode.ERROR))


class RunTracer:
    """Implements ports.tracer.Tracer; ``provider`` is the model provider's name."""

    def __init__(self, tracer: OtelTracer, provider: str) -> None:
        self._tracer = tracer
        self._provider = provider

    @contextmanager
    def workflow(self, run: Run) -> Iterator[_Span]:
        """See ports.tracer.Tracer."""
        attributes: dict[str, AttributeValue] = {
            names.OPERATION: names.INVOKE_WORKFLOW,
            names.WORKFLOW_NAME: run.workflow,
            names.RUN_ID: run.run_id,
            names.TENANT: run.tenant_id,
            names.POLICY_DIGEST: run.policy_digest,
        }
        if run.session_id:
            attributes[names.CONVERSATION_ID] = run.session_id
        with self._open(f"{names.INVOKE_WORKFLOW} {run.workflow}", attributes) as span:
            yield span

    @contextmanager
    def step(self, run_id: str, node: Node, step_id: str, tool: str | None) -> Iterator[_Span]:
        """See ports.tracer.Tracer."""
        operation = names.INVOKE_AGENT if tool is None else names.EXECUTE_TOOL
        attributes: dict[str, AttributeValue] = {
            names.OPERATION: operation,
            names.AGENT_ID: node.id,
            names.AGENT_NAME: node.role or node.id,
            names.NODE_KIND: node.kind.value,
            names.RUN_ID: run_id,
            names.STEP_ID: step_id,
        }
        if tool is not None:
            attributes[names.TOOL_NAME] = tool
        with self._open(f"{operation} {tool or node.id}", attributes) as span:
            yield span

    @contextmanager
    def model_call(self, model: str, attempt: int) -> Iterator[_Span]:
        """See ports.tracer.Tracer."""
        attributes: dict[str, AttributeValue] = {
            names.OPERATION: names.CHAT,
            names.PROVIDER: self._provider,
            names.MODEL: model,
            names.ATTEMPT: attempt,
        }
        with self._open(f"{names.CHAT} {model}", attributes, SpanKind.CLIENT) as span:
            yield span

    def traceparent(self) -> str | None:
        """See ports.tracer.Tracer."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get("traceparent")

    @contextmanager
    def _open(
        self, name: str, attributes: dict[str, AttributeValue], kind: SpanKind = SpanKind.INTERNAL
    ) -> Iterator[_Span]:
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield _Span(span)
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise
