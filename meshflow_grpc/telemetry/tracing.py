"""OpenTelemetry: a provider that exports over OTLP, by gRPC or HTTP. The SDK reads its own standard variables (OTEL_…)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.instrumentation.grpc import aio_server_interceptor, filters
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from meshflow_grpc.telemetry.run_tracer import RunTracer

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from grpc import aio
    from opentelemetry.sdk.trace.export import SpanExporter

SERVICE_NAME = "meshflow"
_PROBES = "meshflow.v1.SystemService"


class Tracing:
    """Traces of this process. ``close`` sends what is left."""

    def __init__(self, version: str, *, http: bool) -> None:
        resource = Resource.create({"service.name": SERVICE_NAME, "service.version": version})
        self._version = version
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(http=http)))

    def run_tracer(self, model_provider: str) -> RunTracer:
        """The tracer of runs, steps and model calls."""
        return RunTracer(self._provider.get_tracer("meshflow_grpc", self._version), model_provider)

    def rpc_interceptor(self) -> aio.ServerInterceptor:
        """A span for each call but probes; the caller's trace context is its parent."""
        probes = filters.any_of(filters.health_check(), filters.service_name(_PROBES))
        interceptor: aio.ServerInterceptor = aio_server_interceptor(  # type: ignore[no-untyped-call]
            self._provider, filters.negate(probes)
        )
        return interceptor

    def close(self) -> None:
        """Sends the spans that wait, and stops. Blocks until they are sent or given up."""
        self._provider.shutdown()


def _exporter(*, http: bool) -> SpanExporter:
    if http:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

        return HttpExporter()
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

    return GrpcExporter()


def add_trace_ids(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: the trace a line was written in."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
