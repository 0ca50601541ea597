"""The asyncio gRPC server: services, health and reflection on one port, started, drained and stopped in order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
from meshflow_grpc.rpc.interceptors.calls_under_way import CallsUnderWay
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

# No call for so long means that callers have heard that the server drains.
QUIET_S: Final = 0.3
# A port is free within a few milliseconds of its listener's end.
REBIND_S, REBINDS = 0.01, 100


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
        self._telemetry = telemetry or CallTelemetry()
        self._limits = limits
        self._health = AnnouncedHealth(READINESS_NAMES)
        self._last_call = -QUIET_S
        self._under_way = CallsUnderWay()
        chain = interceptors(authenticator, self._observe, self._under_way)
        messages = RunMessages()
        rest = RestServicer(commands, messages, heartbeat_s=heartbeat_s)
        self._handlers = (
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
            wrapped_handlers(mesh_service_pb2_grpc.add_MeshServiceServicer_to_server, MeshServicer(commands), chain),
            wrapped_handlers(system_service_pb2_grpc.add_SystemServiceServicer_to_server, SystemServicer(state), chain),
        )
        self._server = self._unstarted()
        self._listens: tuple[str, grpc.ServerCredentials | None] = ("", None)
        # The one whose connections were sent away, until its last call has ended.
        self._left: aio.Server | None = None

    def _unstarted(self) -> aio.Server:
        server = aio.server(interceptors=self._telemetry.interceptors, options=self._limits.options())
        server.add_generic_rpc_handlers(self._handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(SERVICE_NAMES, server)
        return server

    def _observe(self, method: str, code: str, seconds: float) -> None:
        self._last_call = asyncio.get_running_loop().time()
        self._telemetry.observe(method, code, seconds)

    async def start(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listens on ``host:port`` (port 0 = a free one) or ``unix:path``; returns the port. Raises OSError when it is taken.

        With credentials it speaks TLS.
        """
        port = _listen(self._server, address, credentials)
        self._listens = (
            address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}",
            credentials,
        )
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

    async def until_quiet(self, within_s: float) -> None:
        """Waits until no call has ended for QUIET_S, or for ``within_s``.

        Calls that have arrived and not begun when the server stops are cancelled by gRPC.
        """
        loop = asyncio.get_running_loop()
        latest = loop.time() + within_s
        while (left_s := min(self._last_call + QUIET_S, latest) - loop.time()) > 0:  # noqa: ASYNC110 - for what does not come
            await asyncio.sleep(left_s)

    async def until_answered(self) -> None:
        """Waits until no call is under way, each answered to its end. Health checks and reflection are not waited for."""
        await self._under_way.until_none()

    async def send_away(self, grace_s: float) -> None:
        """Ends every connection in order (GOAWAY) and listens anew: calls under way finish within the grace, new ones come anew.

        A caller that knows several servers goes to another one; who has no other is answered here as before. On a shared port it
        does not listen again: the others take what comes anew. Raises OSError when another process has taken the port in between.
        """
        self._leaving = asyncio.create_task(self._server.stop(grace_s))
        await asyncio.sleep(0)
        if self._limits.shares_port:
            return
        self._left, server = self._server, self._unstarted()
        await _listen_again(server, *self._listens)
        await server.start()
        self._server = server

    async def stop(self, grace_s: float) -> None:
        """Refuses new calls, lets the ones under way finish within the grace, then cancels them. Watches of the health end at once."""
        self._health.end_watches()
        servers = [server for server in (self._left, self._server) if server is not None]
        await asyncio.shield(asyncio.gather(*(server.stop(grace_s) for server in servers)))


def _listen(server: aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        message = f"cannot listen on {address}: the address is in use or not of this machine"
        raise OSError(message) from error


async def _listen_again(server: aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> None:
    """As _listen, on a port whose listener is being closed."""
    for _ in range(REBINDS):
        try:
            _listen(server, address, credentials)
        except OSError:
            await asyncio.sleep(REBIND_S)
        else:
            return
    _listen(server, address, credentials)
