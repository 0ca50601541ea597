"""Probes on a thread of their own: they answer at once beside a busy event loop, and still answer when it is stuck."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from meshflow_grpc._gen.meshflow.v1 import system_service_pb2 as system
from meshflow_grpc._gen.meshflow.v1.system_service_pb2_grpc import add_SystemServiceServicer_to_server
from meshflow_grpc.domain.errors import MeshflowError
from meshflow_grpc.rpc.error_status import status_of
from meshflow_grpc.rpc.interceptor_chain import handlers_of
from meshflow_grpc.rpc.servicers.system import health_of, liveness_of, readiness_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.engine.server_state import ServerState

LIVENESS_NAME = "meshflow-liveness"
THREADS = 2
MAX_WAITING_CALLS = 10_000
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def waiting_calls(most: int) -> list[tuple[str, int]]:
    """How many calls may wait to be looked at; by default gRPC cancels some at random from 1,000 on (grpc/grpc#34782)."""
    return [("grpc.server.max_pending_requests", most), ("grpc.server.max_pending_requests_hard_limit", most)]


class ProbeServer:
    """SystemService and grpc.health.v1 for Envoy; reads the server's state, never a store."""

    def __init__(self, state: ServerState, readiness_names: tuple[str, ...]) -> None:
        self._readiness_names = readiness_names
        self._health = _Health(state)
        options = [("grpc.so_reuseport", 0), *waiting_calls(MAX_WAITING_CALLS)]
        self._server = grpc.server(ThreadPoolExecutor(THREADS, "meshflow-probe"), options=options)
        self._server.add_generic_rpc_handlers((_system_handlers(state),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def start(self, address: str) -> int:
        """Listens on ``host:port`` and returns the port; not ready until told."""
        port = self._server.add_insecure_port(address)
        self.set_serving(serving=False)
        self._health.set(LIVENESS_NAME, SERVING)
        self._server.start()
        return port

    def set_serving(self, *, serving: bool) -> None:
        """Readiness as grpc.health.v1 tells it."""
        for name in self._readiness_names:
            self._health.set(name, SERVING if serving else NOT_SERVING)

    def stop(self) -> None:
        """Refuses new calls and ends watches; returns at once."""
        self._server.stop(grace=None)


def _system_handlers(state: ServerState) -> grpc.GenericRpcHandler:
    """The requests are empty: none is decoded, so none can be malformed."""
    service, handlers = handlers_of(add_SystemServiceServicer_to_server, _System(state))
    undecoded: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        name: grpc.unary_unary_rpc_method_handler(
            cast("Any", handler).unary_unary, response_serializer=handler.response_serializer
        )
        for name, handler in handlers.items()
    }
    return grpc.method_handlers_generic_handler(service, undecoded)


class _Health(health.HealthServicer):  # type: ignore[misc]  # grpcio-health-checking ships no annotations
    """Liveness is the event loop's, not this thread's."""

    def __init__(self, state: ServerState) -> None:
        super().__init__()
        self._state = state

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - RPC name
        """See grpc.health.v1."""
        if request.service == LIVENESS_NAME and not self._state.alive():
            return health_pb2.HealthCheckResponse(status=NOT_SERVING)
        return super().Check(request, context)


class _System:
    """SystemService without an event loop."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def GetHealth(self, request: system.GetHealthRequest, context: Any) -> Any:  # noqa: N802 - RPC name
        """See system_service.proto."""
        return self._answer(health_of, context)

    def GetLiveness(self, request: system.GetLivenessRequest, context: Any) -> Any:  # noqa: N802 - RPC name
        """See system_service.proto."""
        return self._answer(liveness_of, context)

    def GetReadiness(self, request: system.GetReadinessRequest, context: Any) -> Any:  # noqa: N802 - RPC name
        """See system_service.proto."""
        return self._answer(readiness_of, context)

    def _answer(self, of: Callable[[ServerState], Any], context: Any) -> Any:
        try:
            return of(self._state)
        except MeshflowError as error:
            context.abort_with_status(status_of(error))
