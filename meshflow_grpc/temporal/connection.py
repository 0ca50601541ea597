"""The connection to Temporal."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.runtime import LoggingConfig, LoggingFormat, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError

from meshflow_grpc.ports.dispatch import DispatchUnavailableError

_log = structlog.get_logger(__name__)

CONNECT_S: Final = 10


class _ToOurLog(logging.Handler):
    """What the library says, without the tracebacks of its own workings."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        _log.log(record.levelno, "temporal", message=record.getMessage())


@dataclass(frozen=True, slots=True)
class TemporalAddress:
    """Where Temporal is, and the names this server uses there."""

    address: str
    namespace: str
    task_queue: str
    tls: bool = False
    api_key: str | None = field(default=None, repr=False)


async def connect(where: TemporalAddress) -> Client:
    """Raises DispatchUnavailableError when nobody answers, or the namespace is not there."""
    library = logging.getLogger("temporalio")
    library.handlers, library.propagate = [_ToOurLog(logging.WARNING)], False
    errors = TelemetryFilter(core_level="ERROR", other_level="ERROR")
    telemetry = TelemetryConfig(logging=LoggingConfig(errors, format=LoggingFormat.JSON))
    try:
        client = await Client.connect(
            where.address,
            namespace=where.namespace,
            api_key=where.api_key,
            tls=where.tls,
            connect_timeout=timedelta(seconds=CONNECT_S),
            runtime=Runtime(telemetry=telemetry, worker_heartbeat_interval=None, disable_environment_info=True),
        )
        await client.count_workflows("WorkflowId = 'meshflow'", rpc_timeout=timedelta(seconds=CONNECT_S))
    except (RuntimeError, ValueError, RPCError) as error:
        text = f"Temporal at {where.address}, namespace {where.namespace!r}, cannot be used: {error}"
        raise DispatchUnavailableError(text) from error
    return client
