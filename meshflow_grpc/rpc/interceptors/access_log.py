"""One log line per call: method, code, duration, who. Never a payload."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import structlog

from meshflow_grpc.rpc.call import current_call

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.rpc.handler import Context, Streaming, Unary

_log = structlog.get_logger(__name__)


class AccessLog:
    """Right inside the request id and outside the error mapping, so that it sees every outcome."""

    name = "access_log"

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
                _write(started)

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
                _write(started)

        return call


def _left() -> None:
    """The caller went away: what ended the call is a cancellation, not an error that was mapped."""
    call = current_call()
    if call.code == "OK":
        call.code = "CANCELLED"


def _write(started: float) -> None:
    call = current_call()
    principal = call.principal.id if call.principal else None
    ms = round((time.monotonic() - started) * 1000, 3)
    _log.info("rpc", method=call.method, code=call.code, ms=ms, principal=principal)
