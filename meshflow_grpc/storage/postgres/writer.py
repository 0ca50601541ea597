"""The one writer: a task that owns the writing connection and commits whole batches.

A batch is everything that arrived while the last commit was under way, and in a few turns of the loop after it; there is no timer.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final, TypeVar

from meshflow_grpc.domain.errors import LedgerUnavailableError, MeshflowError
from meshflow_grpc.ledger.payload_cipher import NO_KEYS
from meshflow_grpc.ports.acknowledgement import Acknowledgement
from meshflow_grpc.storage.gathering import turns_after
from meshflow_grpc.storage.postgres.errors import RETRY_AFTER_S
from meshflow_grpc.storage.postgres.transaction import BatchWriter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshflow_grpc.ledger.payload_cipher import PayloadKeys
    from meshflow_grpc.storage.batch import Command, Outcome
    from meshflow_grpc.storage.postgres.connection import PoolOptions
    from meshflow_grpc.storage.postgres.fence import Fence

MAX_WAITING_COMMANDS: Final = 8192
MAX_BATCH_COMMANDS: Final = 512
T = TypeVar("T")


class Writer:
    """Takes commands, answers each when it is durable."""

    def __init__(self, url: str, options: PoolOptions, payload_keys: PayloadKeys = NO_KEYS) -> None:
        self._loop = asyncio.get_running_loop()
        self.url = url
        self.options = options
        self._batches = BatchWriter(url, options, os.urandom, payload_keys)
        self._waiting: list[tuple[Command, Acknowledgement[Outcome]]] = []
        self._written: list[tuple[Command, Acknowledgement[Outcome]]] = []
        self._working: asyncio.Task[None] | None = None
        self._closing = False
        self._turn = asyncio.Lock()

    @property
    def fence(self) -> Fence:
        """Who writes, and which runs are its own."""
        return self._batches.fence

    async def open(self) -> None:
        """Connects and brings the database to the current schema; raises LedgerUnavailableError."""
        await self._batches.open()

    def submit(self, command: Command) -> Acknowledgement[Outcome]:
        """Takes a command, which is then carried out whoever is cancelled; gives its outcome once it is durable, or its error.

        That is LedgerUnavailableError, at once, when too much is waiting.
        """
        future: Acknowledgement[Outcome] = Acknowledgement(loop=self._loop)
        if (refusal := self._refusal()) is not None:
            future.set_exception(refusal)
            return future
        self._waiting.append((command, future))
        if self._working is None or self._working.done():
            self._working = self._loop.create_task(self._work())
        return future

    async def call(self, work: Callable[[BatchWriter], Awaitable[T]]) -> T:
        """Does something on the writing connection between batches; returns what it returns, raises what it raises."""
        if self._closing:
            raise LedgerUnavailableError("the ledger is closed")
        async with self._turn:
            return await work(self._batches)

    def unintegrated(self) -> int:
        """Returns how many durable entries are not in the Merkle tree yet."""
        return self._batches.newest_seq - self._batches.integrated

    async def drain(self) -> None:
        """Takes nothing more, and returns when what was accepted is durable. Idempotent."""
        self._closing = True
        if self._working is not None:
            await asyncio.wait((self._working,))

    async def close(self) -> None:
        """Drains and closes the connection. Idempotent."""
        await self.drain()
        async with self._turn:
            await self._batches.close()

    def _refusal(self) -> LedgerUnavailableError | None:
        if self._closing:
            return LedgerUnavailableError("the ledger is closed")
        if len(self._waiting) < MAX_WAITING_COMMANDS:
            return None
        return LedgerUnavailableError(
            f"the ledger is behind: {MAX_WAITING_COMMANDS} appends are waiting, the most it takes",
            retry_after_s=RETRY_AFTER_S,
        )

    async def _work(self) -> None:
        try:
            await self._write_all()
        except asyncio.CancelledError:
            # The loop ends, and nobody else would answer them.
            for _, future in (*self._written, *self._waiting):
                if not future.done():
                    future.set_exception(asyncio.CancelledError())
            raise

    async def _write_all(self) -> None:
        while self._waiting:
            self._written, self._waiting = self._waiting[:MAX_BATCH_COMMANDS], self._waiting[MAX_BATCH_COMMANDS:]
            batch = self._written
            outcomes = await self._outcomes([command for command, _ in batch])
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, MeshflowError):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)
            self._written = []
            # The callers run first, so that what they append next shares the next commit.
            for _ in range(1 + turns_after(len(batch))):
                await asyncio.sleep(0)

    async def _outcomes(self, commands: list[Command]) -> list[Outcome]:
        try:
            async with self._turn:
                return await self._batches.write(commands)
        except Exception as error:  # noqa: BLE001
            # The task's boundary: without an answer every caller would wait for ever.
            self._batches.drop()
            failure = LedgerUnavailableError("the ledger failed to write", metadata={"cause": type(error).__name__})
            failure.__cause__ = error
            return [failure for _ in commands]
