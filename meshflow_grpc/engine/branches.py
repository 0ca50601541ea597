"""Steps of branches that are taken side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshflow_grpc.kernel.state import StepOutcome


def place(task: asyncio.Task[StepOutcome]) -> int:
    """Steps that ended together are taken in as the ledger has them, so that a replay goes the same way; failures come first."""
    return 0 if task.cancelled() or task.exception() is not None else task.result().entry.sequence


async def cancel_all(tasks: Iterable[asyncio.Task[StepOutcome]]) -> None:
    """Cancels those still under way and waits for their end."""
    remaining = [task for task in tasks if not task.done()]
    for task in remaining:
        task.cancel()
    if remaining:
        await asyncio.gather(*remaining, return_exceptions=True)
