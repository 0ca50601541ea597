"""Steps of branches that are taken side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from meshflow_grpc.kernel.state import StepOutcome

B = TypeVar("B")


class Branches(Generic[B]):
    """Steps under way, each in a task of its own, by what it is a step of.

    Does what ``asyncio.wait`` does, which adds a callback to every task, and takes it away again, each time one is over.
    """

    def __init__(self) -> None:
        self._under_way: dict[asyncio.Task[StepOutcome], B] = {}
        self._waiting: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, branch: B, step: Coroutine[object, object, StepOutcome]) -> None:
        """Takes a step beside the others."""
        task = asyncio.get_running_loop().create_task(step)
        self._under_way[task] = branch
        task.add_done_callback(self._wake)

    async def ended(self) -> list[tuple[B, asyncio.Task[StepOutcome]]]:
        """Waits until one is over; those that ended together are given as the ledger has them, so that a replay goes the same way."""
        if not any(task.done() for task in self._under_way):
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        over = sorted((task for task in self._under_way if task.done()), key=place)
        return [(self._under_way.pop(task), task) for task in over]

    async def cancel(self) -> None:
        """Cancels those still under way and waits for their end."""
        remaining = [task for task in self._under_way if not task.done()]
        for task in remaining:
            task.cancel()
        if remaining:
            await asyncio.gather(*remaining, return_exceptions=True)

    def _wake(self, _task: asyncio.Task[StepOutcome]) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def place(task: asyncio.Task[StepOutcome]) -> int:
    """Where a step's entry is in the run; failures come first."""
    return 0 if task.cancelled() or task.exception() is not None else task.result().entry.sequence
