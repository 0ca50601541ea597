"""The asyncio gRPC server: services, health and reflection on one port, started, drained and stopped in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from meshflow_grpc._gen.meshflow.v1 import (
    approval_service_pb2,
    approval_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    mesh_service_pb2,
    mesh_service_pb2_grpc,
    rest_service_pb2,
    rest_service_pb2_grpc,
    run_service_pb2,
    run_service_pb2_grpc,
    system_service_pb2,
    system_service_pb2_grpc,
    workflow_service_pb2,
    workflow_service_pb2_grpc,
)
from meshflow_grpc.rpc.announced_health import AnnouncedHealth
from meshflow_grpc.rpc.convert.run import RunMessages
from meshflow_grpc.rpc.interceptor_chain import interceptors, wrapped_handlers
from meshflow_grpc.rpc.probe_server import LIVENESS_NAME, MAX_WAITING_CALLS, waiting_calls
from meshflow_grpc.rpc.servicers.approval import ApprovalServicer
from meshflow_grpc.rpc.servicers.ledger import LedgerServicer
from meshflow_grpc.rpc.servicers.mesh import MeshServicer
from meshflow_grpc.rpc.servicers.rest import HEARTBEAT_S, RestServicer
from meshflow_grpc.rpc.servicers.run import RunServicer
from meshflow_grpc.rpc.servicers.system import SystemServicer
from meshflow_grpc.rpc.servicers.workflow import WorkflowServicer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

    from meshflow_grpc.commands.catalog import Commands
    from meshflow_grpc.engine.server_state import ServerState
    from meshflow_grpc.rpc.interceptors.access_log import RpcObserver
    from meshflow_grpc.rpc.interceptors.authentication import Authenticator

RUN_SERVICE = run_service_pb2.DESCRIPTOR.services_by_name["RunService"].full_name
READINESS_NAMES = ("", RUN_SERVICE, "meshflow-readiness")
SERVICE_NAMES = (
    RUN_SERVICE,
    ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"].full_name,
    approval_service_pb2.DESCRIPTOR.services_by_name["ApprovalService"].full_name,
    workflow_service_pb2.DESCRIPTOR.services_by_name["WorkflowService"].full_name,
    mesh_service_pb2.DESCRIPTOR.services_by_name["MeshService"].full_name,
    rest_service_pb2.DESCRIPTOR.services_by_name["RestService"].full_name,
    system_service_pb2.DESCRIPTOR.services_by_name["SystemService"].full_name,
    health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
    reflection.SERVICE_NAME,
)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds of one connection and message, in bytes, streams and milliseconds."""

    max_request_bytes: int = 4 * 1024 * 1024
    max_response_bytes: int = 16 * 1024 * 1024
    max_metadata_bytes: int = 16 * 1024
    max_streams_per_connection: int = 1000
    min_ping_interval_ms: int = 10_000
    max_waiting_calls: int = MAX_WAITING_CALLS
    # Whether other workers of the same supervisor listen on the port too.
    shares_port: bool = False

    def options(self) -> list[tuple[str, int]]:
        """As grpc channel arguments."""
        return [
            # Without this a second server on the port starts silently and takes half the calls.
            ("grpc.so_reuseport", int(self.shares_port)),
            ("grpc.max_receive_message_length", self.max_request_bytes),
            ("grpc.max_send_message_length", self.max_response_bytes),
            ("grpc.max_metadata_size", self.max_metadata_bytes),
            ("grpc.max_concurrent_streams", self.max_streams_per_connection),
            *waiting_calls(self.max_waiting_calls),
            # Envoy and clients may ping a quiet connection; the default would answer "Too many pings" and cut it.
            ("grpc.http2.min_ping_interval_without_data_ms", self.min_ping_interval_ms),
            ("grpc.keepalive_permit_without_calls", 1),
        ]


def _unobserved(_method: str, _code: str, _seconds: float) -> None:
    """Nobody measures."""


@dataclass(frozen=True, slots=True)
class CallTelemetry:
    """What observes calls: a function told of each, and interceptors around all others (tracing)."""

    observe: RpcObserver = _unobserved
    interceptors: Sequence[aio.ServerInterceptor] = ()


class GrpcServer:
    """Start it, mark it serving, stop it. ``stop`` may be called again, with less grace."""

    def __init__(
        self,
        commands: Commands,
        state: ServerState,
        authenticator: Authenticator,
        limits: ServerLimits,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        telemetry: CallTelemetry | None = None,
    ) -> None:
        telemetry = telemetry or CallTelemetry()
        self._server = aio.server(interceptors=telemetry.interceptors, options=limits.options())
        self._health = AnnouncedHealth(READINESS_NAMES)
        chain = interceptors(authenticator, telemetry.observe)
        messages = RunMessages()
        rest = RestServicer(commands, messages, heartbeat_s=heartbeat_s)
        self._server.add_generic_rpc_handlers(
            (
                wrapped_handlers(
                    run_service_pb2_grpc.add_RunServiceServicer_to_server, RunServicer(commands, messages), chain
                ),
                wrapped_handlers(rest_service_pb2_grpc.add_RestServiceServicer_to_server, rest, chain),
                wrapped_handlers(
                    ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server, LedgerServicer(commands), chain
                ),
                wrapped_handlers(
                    approval_service_pb2_grpc.add_ApprovalServiceServicer_to_server, ApprovalServicer(commands), chain
                ),
                wrapped_handlers(
                    workflow_service_pb2_grpc.add_WorkflowServiceServicer_to_server, WorkflowServicer(commands), chain
                ),
                wrapped_handlers(
                    mesh_service_pb2_grpc.add_MeshServiceServicer_to_server, MeshServicer(commands), chain
                ),
                wrapped_handlers(
                    system_service_pb2_grpc.add_SystemServiceServicer_to_server, SystemServicer(state), chain
                ),
            )
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(SERVICE_NAMES, self._server)

    async def start(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listens on ``host:port`` (port 0 = a free one) or ``unix:path``; returns the port. Raises OSError when it is taken.

        With credentials it speaks TLS.
        """
        try:
            if credentials is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            message = f"cannot listen on {address}: the address is in use or not of this machine"
            raise OSError(message) from error
        await self.set_serving(serving=False)
        await self._health.set(LIVENESS_NAME, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        return port

    async def set_serving(self, *, serving: bool) -> None:
        """Readiness as grpc.health.v1 tells it."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in READINESS_NAMES:
            await self._health.set(name, status)

    async def until_told(self) -> None:
        """Waits until proxies that keep asking have heard that readiness is off.

        A call that meets the end of its connection ends with CANCELLED, which not every caller may repeat.
        """
        await self._health.until_told()

    async def stop(self, grace_s: float) -> None:
        """Refuses new calls, lets the ones under way finish within the grace, then cancels them."""
        await asyncio.shield(self._server.stop(grace_s))
