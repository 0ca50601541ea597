"""How calls of the asynchronous client are made, and their errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import grpc

from meshflow_grpc.client.errors import call_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

T = TypeVar("T")


class CallOptions(TypedDict):
    """Keyword arguments of a stub's method."""

    timeout: float
    metadata: tuple[tuple[str, str], ...]


class CallsOfOneClient(ABC):
    """What each part of the asynchronous client makes its calls with."""

    @abstractmethod
    def _call(self, extra_s: float = 0.0) -> CallOptions:
        """Metadata and timeout of one call, which may take ``extra_s`` seconds longer than usual."""


async def result(call: Awaitable[T]) -> T:
    """The answer; raises MeshflowCallError."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise call_error(error) from error


async def messages(call: grpc.aio.UnaryStreamCall[Any, T]) -> AsyncGenerator[T, None]:
    """The messages of a stream; closing the generator ends the call. Raises MeshflowCallError."""
    try:
        async for message in call:
            yield message
    except grpc.aio.AioRpcError as error:
        raise call_error(error) from error
    finally:
        call.cancel()
