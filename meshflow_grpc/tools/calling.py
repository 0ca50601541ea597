"""Calls an application's function: coroutines on the event loop, plain functions in a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import json
import threading
from typing import TYPE_CHECKING, Any

import structlog

from meshflow_grpc.domain.tool import ToolError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.tool import ToolContext

_log = structlog.get_logger(__name__)
MAX_RESULT_CHARS = 1_048_576


def caller(
    function: Callable[..., Any], context_name: str | None, *, spread: bool
) -> Callable[[Mapping[str, JsonValue], ToolContext], Awaitable[str]]:
    """The function as ``Tool.call``: arguments as keywords (``spread``) or as one mapping, the context where it is asked for.

    Whatever it raises becomes a ToolError; the text of an unexpected exception is logged, not shown.
    """
    is_async = inspect.iscoroutinefunction(function)

    async def call(arguments: Mapping[str, JsonValue], context: ToolContext) -> str:
        keywords: dict[str, Any] = dict(arguments) if spread else {}
        positional = () if spread else (dict(arguments),)
        if context_name is not None:
            keywords[context_name] = context
        try:
            if is_async:
                value = await function(*positional, **keywords)
            else:
                value = await _in_thread(lambda: function(*positional, **keywords))
        except ToolError:
            raise
        except (Exception, SystemExit) as error:
            _log.warning("tool_raised", step=context.step_id, exc_info=True)
            raise ToolError(f"it raised {type(error).__name__}; see the server's log") from error
        return result_text(value)

    return call


def result_text(value: object) -> str:
    """The result as text: text as it is, everything else as JSON. Raises ToolError for what is neither or is too large."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ToolError(f"its result is neither text nor JSON but {type(value).__name__}") from None
    if len(text) > MAX_RESULT_CHARS:
        raise ToolError(f"its result has {len(text)} characters, more than {MAX_RESULT_CHARS}")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ToolError("its result holds a lone surrogate, which is not valid Unicode")
    return text


async def _in_thread(work: Callable[[], object]) -> object:
    """Runs work in a daemon thread. Cancellation stops the waiting at once; the thread runs on to its end, unheard."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[object] = loop.create_future()
    variables = contextvars.copy_context()

    def tell(result: object, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def body() -> None:
        result: object = None
        failure: Exception | None = None
        try:
            result = variables.run(work)
        except StopIteration:
            failure = RuntimeError("StopIteration")
        except BaseException as error:  # noqa: BLE001 - handed to the waiting task, whatever it is
            failure = error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
        # The loop is closed when the server stopped meanwhile.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, result, failure)

    threading.Thread(target=body, name="meshflow-tool", daemon=True).start()
    return await future
