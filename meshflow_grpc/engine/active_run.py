"""A run that this process executes, as callers and the engine see it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import CancelReason, Run
    from meshflow_grpc.engine.executor import RunExecutor


class ActiveRun:
    """A run this process executes. ``created`` resolves when its first entry is durable, ``done`` when it has ended."""

    __slots__ = ("cancel_reason", "created", "done", "executor", "leaving", "run_id", "tenant_id")

    def __init__(self, run_id: str, tenant_id: str) -> None:
        loop = asyncio.get_running_loop()
        self.run_id = run_id
        self.tenant_id = tenant_id
        self.created: asyncio.Future[Run] = loop.create_future()
        self.done: asyncio.Future[Run] = loop.create_future()
        self.executor: RunExecutor | None = None
        self.cancel_reason: tuple[CancelReason, str] | None = None
        self.leaving = False

    def cancel(self, reason: CancelReason, detail: str = "") -> None:
        """Asks the run to end; also before its first step."""
        if self.executor is None:
            self.cancel_reason = (reason, detail)
        else:
            self.executor.cancel(reason, detail)

    def leave_off(self) -> None:
        """Takes no more steps here after those under way; also before the first one."""
        self.leaving = True
        if self.executor is not None:
            self.executor.leave_off()

    def attach(self, executor: RunExecutor) -> None:
        """Hands over to the executor, with a cancellation that came before it."""
        self.executor = executor
        if self.leaving:
            executor.leave_off()
        if self.cancel_reason is not None:
            executor.cancel(*self.cancel_reason)

    def succeed(self, run: Run) -> None:
        """Gives the ended run to whoever waits."""
        for future in (self.created, self.done):
            if not future.done():
                future.set_result(run)

    def fail(self, error: BaseException) -> None:
        """Gives the error to whoever waits."""
        for future in (self.created, self.done):
            if not future.done():
                future.set_exception(error)
                _ = future.exception()
