"""Recording that cancellation cannot interrupt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


async def uninterrupted(work: Coroutine[object, object, T]) -> T:
    """Awaits the work to its end. A cancellation that arrives meanwhile is raised after the end, and the result is then dropped."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.done():
                break
            cancelled = error
    if cancelled is not None:
        _ = task.exception()
        raise cancelled
    return task.result()
