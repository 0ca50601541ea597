"""Recording that cancellation cannot interrupt."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


async def uninterrupted(work: Coroutine[object, object, T]) -> T:
    """Awaits the work to its end. A cancellation that arrives meanwhile is raised after the end, and the result is then dropped."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        # asyncio.shield in less: who waits is cancelled, the task is not.
        ended: asyncio.Future[None] = loop.create_future()
        task.add_done_callback(partial(_tell, ended))
        try:
            await ended
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        _ = task.exception()
        raise cancelled
    return task.result()


def _tell(ended: asyncio.Future[None], _task: asyncio.Task[T]) -> None:
    if not ended.done():
        ended.set_result(None)
