"""Opens logs, metrics and traces as the settings say."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc import __version__
from meshflow_grpc.rpc.server import CallTelemetry
from meshflow_grpc.telemetry.log_observer import LogObserver
from meshflow_grpc.telemetry.logging import configure_logging
from meshflow_grpc.telemetry.metrics import Metrics
from meshflow_grpc.telemetry.metrics_server import MetricsServer
from meshflow_grpc.telemetry.observers import Observers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.config import Settings
    from meshflow_grpc.ports.observer import Observer
    from meshflow_grpc.telemetry.tracing import Tracing

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What observes this process."""

    metrics: Metrics
    observer: Observer
    calls: CallTelemetry
    tracing: Tracing | None


@asynccontextmanager
async def open_telemetry(settings: Settings, worker: int = 0) -> AsyncIterator[Telemetry]:
    """Configures the log, serves metrics, and exports traces if OTEL_EXPORTER_OTLP_ENDPOINT is set.

    Of several workers each serves its metrics on a port of its own, counted from the one that is set.

    Raises OSError when the port of the metrics was set and is taken; the default port may be taken by another server of this machine.
    """
    tracing = _open_tracing(settings)
    metrics = Metrics()
    served = _serve_metrics(settings, metrics, worker)
    interceptors = (tracing.rpc_interceptor(),) if tracing else ()
    try:
        yield Telemetry(
            metrics, Observers(LogObserver(), metrics), CallTelemetry(metrics.answered, interceptors), tracing
        )
    finally:
        if tracing is not None:
            await asyncio.to_thread(tracing.close)
        if served is not None:
            await asyncio.to_thread(served.stop)


def _open_tracing(settings: Settings) -> Tracing | None:
    if not settings.otlp_endpoint:
        configure_logging(settings.log_level, settings.log_format)
        return None
    from meshflow_grpc.telemetry.tracing import Tracing, add_trace_ids  # its libraries take a while to import

    configure_logging(settings.log_level, settings.log_format, add_trace_ids)
    return Tracing(__version__, http=settings.otlp_over_http)


def _serve_metrics(settings: Settings, metrics: Metrics, worker: int) -> MetricsServer | None:
    port = settings.metrics_port + worker if settings.metrics_port else 0
    try:
        served = MetricsServer(settings.metrics_host, port, metrics.registry)
    except OSError as error:
        address = f"{settings.metrics_host}:{port}"
        if "metrics_port" in settings.model_fields_set:
            message = f"cannot serve metrics on {address}: {error.strerror}"
            raise OSError(message) from error
        _log.warning("metrics_not_served", address=address, reason=error.strerror, remedy="set MESHFLOW_METRICS_PORT")
        return None
    _log.info("serving_metrics", address=f"http://{settings.metrics_host}:{served.port}/metrics")
    return served
