"""Real gRPC servers that answer health checks as they are told to."""

from __future__ import annotations

import asyncio
from typing import Any

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class HealthServer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # ships no annotations
    """One server; ``serving`` and ``frozen`` change how it answers, ``asked`` counts."""

    def __init__(self) -> None:
        self.serving = True
        self.frozen = False
        self.asked = 0
        self.port = 0
        self._server: aio.Server | None = None

    async def start(self) -> None:
        """Listens on the port it had before, or on a free one."""
        self._server = aio.server(options=[("grpc.so_reuseport", 0)])
        health_pb2_grpc.add_HealthServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """Stops at once."""
        if self._server is not None:
            await self._server.stop(None)

    @property
    def endpoint(self) -> str:
        """Where it is."""
        return f"127.0.0.1:{self.port}"

    async def Check(self, request: Any, context: Any) -> Any:
        """See grpc.health.v1."""
        self.asked += 1
        if self.frozen:
            await asyncio.Event().wait()
        return health_pb2.HealthCheckResponse(status=SERVING if self.serving else NOT_SERVING)
