"""RPC handlers as interceptors see them: a unary one is a coroutine function, a streaming one an async generator function."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol

from grpc import aio

Context = aio.ServicerContext[Any, Any]
Unary = Callable[[Any, Context], Awaitable[Any]]
Streaming = Callable[[Any, Context], AsyncGenerator[Any, None]]


class Interceptor(Protocol):
    """Wraps handlers at start-up."""

    name: str

    def unary(self, method: str, handler: Unary) -> Unary:
        """Wraps a handler that answers once."""
        ...

    def streaming(self, method: str, handler: Streaming) -> Streaming:
        """Wraps a handler that answers with a stream."""
        ...
