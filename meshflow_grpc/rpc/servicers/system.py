"""SystemService: answers from memory, never from a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc._gen.meshflow.v1 import system_service_pb2, system_service_pb2_grpc
from meshflow_grpc.domain.errors import DrainingError, NotReadyError

if TYPE_CHECKING:
    from meshflow_grpc.engine.server_state import ServerState


def health_of(state: ServerState) -> system_service_pb2.GetHealthResponse:
    """That the server answers, with version and uptime."""
    uptime = round(state.uptime_s(), 3)
    return system_service_pb2.GetHealthResponse(ok=True, status="ok", version=state.version, uptime_s=uptime)


def liveness_of(state: ServerState) -> system_service_pb2.GetLivenessResponse:
    """That the event loop turns; raises NotReadyError when it stalled."""
    if not state.alive():
        raise NotReadyError("the event loop stalled")
    return system_service_pb2.GetLivenessResponse(status="alive")


def readiness_of(state: ServerState) -> system_service_pb2.GetReadinessResponse:
    """That the server wants traffic; raises DrainingError or NotReadyError."""
    if state.draining:
        raise DrainingError("the server is draining", retry_after_s=1.0)
    if not state.started:
        raise NotReadyError("the server is starting", retry_after_s=1.0)
    if not state.ledger_reachable:
        raise NotReadyError("the ledger cannot be reached", retry_after_s=1.0)
    return system_service_pb2.GetReadinessResponse(status="ready")


class SystemServicer(system_service_pb2_grpc.SystemServiceServicer):
    """The server itself; public."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def GetHealth(  # noqa: N802 - RPC name
        self, request: system_service_pb2.GetHealthRequest, context: Any
    ) -> system_service_pb2.GetHealthResponse:
        """See system_service.proto."""
        return health_of(self._state)

    async def GetLiveness(  # noqa: N802 - RPC name
        self, request: system_service_pb2.GetLivenessRequest, context: Any
    ) -> system_service_pb2.GetLivenessResponse:
        """See system_service.proto."""
        return liveness_of(self._state)

    async def GetReadiness(  # noqa: N802 - RPC name
        self, request: system_service_pb2.GetReadinessRequest, context: Any
    ) -> system_service_pb2.GetReadinessResponse:
        """See system_service.proto."""
        return readiness_of(self._state)
