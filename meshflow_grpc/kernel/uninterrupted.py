"""Recording that cancellation cannot interrupt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from meshflow_grpc.ports.acknowledgement import acknowledged

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


async def uninterrupted(work: Awaitable[T]) -> T:
    """Awaits the work to its end. A cancellation that arrives meanwhile is raised after the end, and the result is then dropped."""
    answer = acknowledged(work)
    try:
        return await answer
    except asyncio.CancelledError:
        _ = answer.exception()
        raise
