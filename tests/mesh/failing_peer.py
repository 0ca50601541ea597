"""A peer that says it is well, and answers everything else with errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

CHECK = "/grpc.health.v1.Health/Check"
SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()


class FailingPeer(grpc.GenericRpcHandler):
    """A gRPC server on a free port: every method but the health check ends with ``code``; counts what it was asked."""

    def __init__(self, code: grpc.StatusCode = grpc.StatusCode.INTERNAL) -> None:
        self.code = code
        self.asked: list[str] = []
        self._server = grpc.server(ThreadPoolExecutor(2), handlers=(self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """See GenericRpcHandler."""
        if handler_call_details.method == CHECK:
            return grpc.unary_unary_rpc_method_handler(lambda _request, _context: SERVING)
        self.asked.append(handler_call_details.method)

        def fail(_request: bytes, context: grpc.ServicerContext) -> bytes:
            context.abort(self.code, "this peer is broken")

        return grpc.unary_unary_rpc_method_handler(fail)

    def close(self) -> None:
        """Stops it."""
        self._server.stop(None).wait()
