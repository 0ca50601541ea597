"""One log line and one measurement per call: method, code, duration, who. Never a payload."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import structlog

from meshflow_grpc.rpc.call import current_call

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.rpc.call import Call
    from meshflow_grpc.rpc.handler import Context, Streaming, Unary

RpcObserver = Callable[[str, str, float], None]  # told of each call: method, status code, seconds

_log = structlog.get_logger(__name__)


class AccessLog:
    """Right inside the request id and outside the error mapping, so that it sees every outcome."""

    name = "access_log"

    def __init__(self, observe: RpcObserver) -> None:
        self._observe = observe

    def unary(self, method: str, handler: Unary) -> Unary:
        """See handler.Interceptor."""

        async def call(request: Any, context: Context) -> Any:
            started = time.monotonic()
            try:
                return await handler(request, context)
            except (asyncio.CancelledError, GeneratorExit):
                _left()
                raise
            finally:
                self._ended(started)

        return call

    def streaming(self, method: str, handler: Streaming) -> Streaming:
        """See handler.Interceptor."""

        async def call(request: Any, context: Context) -> AsyncGenerator[Any, None]:
            started = time.monotonic()
            try:
                async with aclosing(handler(request, context)) as answers:
                    async for answer in answers:
                        yield answer
            except (asyncio.CancelledError, GeneratorExit):
                _left()
                raise
            finally:
                self._ended(started)

        return call

    def _ended(self, started: float) -> None:
        """Measures at once; gRPC sends a unary answer in the same turn of the loop, so the line does not hold it up."""
        call, seconds = current_call(), time.monotonic() - started
        self._observe(call.method, call.code, seconds)
        asyncio.get_running_loop().call_soon(_write, call, seconds)


def _write(call: Call, seconds: float) -> None:
    principal = call.principal.id if call.principal else None
    _log.info("rpc", method=call.method, code=call.code, ms=round(seconds * 1000, 3), principal=principal)


def _left() -> None:
    """The caller went away: what ended the call is a cancellation, not an error that was mapped."""
    call = current_call()
    if call.code == "OK":
        call.code = "CANCELLED"
