"""A peer that answers, and answers nothing but errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc


class FailingPeer(grpc.GenericRpcHandler):
    """A gRPC server on a free port: every method ends with ``code``; counts what it was asked."""

    def __init__(self, code: grpc.StatusCode = grpc.StatusCode.INTERNAL) -> None:
        self.code = code
        self.asked: list[str] = []
        self._server = grpc.server(ThreadPoolExecutor(2), handlers=(self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """See GenericRpcHandler."""
        self.asked.append(handler_call_details.method)

        def fail(_request: bytes, context: grpc.ServicerContext) -> bytes:
            context.abort(self.code, "this peer is broken")

        return grpc.unary_unary_rpc_method_handler(fail)

    def close(self) -> None:
        """Stops it."""
        self._server.stop(None).wait()
