"""Errors become typed statuses here, and nowhere else. What is not one of ours is logged, and told to nobody."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
from grpc import aio

from meshflow_grpc.domain.errors import MeshflowError
from meshflow_grpc.rpc.call import current_call
from meshflow_grpc.rpc.error_status import CODES, internal_error, status_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.rpc.handler import Context, Streaming, Unary

_log = structlog.get_logger(__name__)


class ErrorMapping:
    """Outside authentication, so that its refusals are typed too."""

    name = "error_mapping"

    def unary(self, method: str, handler: Unary) -> Unary:
        """See handler.Interceptor."""

        async def call(request: Any, context: Context) -> Any:
            try:
                return await handler(request, context)
            except aio.AbortError:
                raise
            except MeshflowError as error:
                await _abort(context, error)
            except Exception:  # noqa: BLE001 - the edge of the server: a defect is logged whole and answered as INTERNAL
                await _abort(context, _defect(method))

        return call

    def streaming(self, method: str, handler: Streaming) -> Streaming:
        """See handler.Interceptor."""

        async def call(request: Any, context: Context) -> AsyncGenerator[Any, None]:
            try:
                async with aclosing(handler(request, context)) as answers:
                    async for answer in answers:
                        yield answer
            except aio.AbortError:
                raise
            except MeshflowError as error:
                await _abort(context, error)
            except Exception:  # noqa: BLE001 - the edge of the server, as above
                await _abort(context, _defect(method))

        return call


def _defect(method: str) -> MeshflowError:
    _log.exception("internal_error", method=method)
    return internal_error(current_call().request_id)


async def _abort(context: Context, error: MeshflowError) -> NoReturn:
    current_call().code = CODES[error.reason].name
    await context.abort_with_status(status_of(error))
