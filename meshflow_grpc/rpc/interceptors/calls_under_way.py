"""Which calls are under way, until gRPC has the last of their answers to send."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

    from meshflow_grpc.rpc.handler import Context, Streaming, Unary


class CallsUnderWay:
    """Counts; the health service and reflection, whose streams need not end, are not among them."""

    name = "calls_under_way"

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def unary(self, method: str, handler: Unary) -> Unary:
        """See handler.Interceptor."""

        def call(request: Any, context: Context) -> Awaitable[Any]:
            self._begin(context)
            return handler(request, context)

        return call

    def streaming(self, method: str, handler: Streaming) -> Streaming:
        """See handler.Interceptor."""

        def call(request: Any, context: Context) -> AsyncGenerator[Any, None]:
            self._begin(context)
            return handler(request, context)

        return call

    def _begin(self, context: Context) -> None:
        self._count += 1
        self._none.clear()
        # Later than the end of the handler, whose answer is still to be sent then.
        context.add_done_callback(self._ended)  # type: ignore[arg-type]  # takes any function

    def _ended(self, _context: Context) -> None:
        self._count -= 1
        if not self._count:
            self._none.set()

    async def until_none(self) -> None:
        """Waits until none is."""
        await self._none.wait()
