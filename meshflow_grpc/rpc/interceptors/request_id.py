"""A request id for every call: Envoy's, the client's, or a new one. It is in trailing metadata and on every log line."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import structlog

from meshflow_grpc.rpc.call import Call, begin

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.rpc.handler import Context, Streaming, Unary

HEADER = "x-request-id"
MAX_CHARS = 128


class RequestId:
    """Outermost, so that everything after it can name the request."""

    name = "request_id"

    def unary(self, method: str, handler: Unary) -> Unary:
        """See handler.Interceptor."""

        async def call(request: Any, context: Context) -> Any:
            _begin(method, request, context)
            return await handler(request, context)

        return call

    def streaming(self, method: str, handler: Streaming) -> Streaming:
        """See handler.Interceptor."""

        async def call(request: Any, context: Context) -> AsyncGenerator[Any, None]:
            _begin(method, request, context)
            async with aclosing(handler(request, context)) as answers:
                async for answer in answers:
                    yield answer

        return call


def _begin(method: str, request: bytes, context: Context) -> None:
    sent = _text(context)
    given = sent.get(HEADER, "")
    request_id = given if 0 < len(given) <= MAX_CHARS and given.isascii() and given.isprintable() else token_hex(16)
    begin(Call(method, request_id, sent, connection=context.auth_context, request=request))
    structlog.contextvars.bind_contextvars(request_id=request_id)
    context.set_trailing_metadata(((HEADER, request_id),))


def _text(context: Context) -> Mapping[str, str]:
    """The call's text metadata; of repeated keys the last counts."""
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
