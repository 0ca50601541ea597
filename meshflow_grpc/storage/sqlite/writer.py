"""The one writer: a thread that owns the only writing connection and commits whole batches.

A batch is everything that arrived while the last commit was under way, and in a few turns of the loop after it; there is no timer. One
hop to the thread and one back serve the whole batch.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from meshflow_grpc.domain.errors import LedgerUnavailableError, MeshflowError
from meshflow_grpc.ledger.payload_cipher import NO_KEYS
from meshflow_grpc.ports.acknowledgement import Acknowledgement
from meshflow_grpc.storage.batch import Append
from meshflow_grpc.storage.gathering import turns_after
from meshflow_grpc.storage.sqlite.errors import RETRY_AFTER_S
from meshflow_grpc.storage.sqlite.transaction import BatchWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meshflow_grpc.ledger.payload_cipher import PayloadKeys
    from meshflow_grpc.storage.batch import Command, Outcome

MAX_WAITING_COMMANDS: Final = 8192
MAX_WAITING_CHARS: Final = 256 * 1024 * 1024
MAX_BATCH_COMMANDS: Final = 512
# Whole milliseconds: uvloop's timers count in them, and take less than half of one as none.
ALONE_FOR_S: Final = 0.001
ANSWER_WITHIN_S: Final = 0.002
YIELD_FOR_S: Final = 0.0005
BLINK_S: Final = 0.0001

T = TypeVar("T")


@dataclass(slots=True)
class _Batch:
    commands: list[Command] = field(default_factory=list)
    futures: list[Acknowledgement[Outcome]] = field(default_factory=list)
    chars: int = 0


@dataclass(frozen=True, slots=True)
class _Raised:
    error: MeshflowError


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[BatchWriter], Any]
    future: asyncio.Future[Any]


class Writer:
    """Takes commands on the event loop, answers each when it is durable."""

    def __init__(self, path: Path, busy_timeout_s: float, payload_keys: PayloadKeys = NO_KEYS) -> None:
        self._loop = asyncio.get_running_loop()
        self._batches: queue.SimpleQueue[_Batch | _Job | None] = queue.SimpleQueue()
        self._waiting: list[_Batch] = []
        self._waiting_commands = 0
        self._waiting_chars = 0
        self._busy = False
        self._turns = 0
        self._closing = False
        self._at_work = threading.Lock()
        self._computing = False
        self._yielding: asyncio.Handle = self._loop.call_soon(lambda: None)
        self._idle = asyncio.Event()
        self._idle.set()
        self._writer = BatchWriter(path, busy_timeout_s, os.urandom, payload_keys, self._computed)
        self._thread = threading.Thread(target=self._work, name="meshflow-ledger", daemon=True)

    async def open(self) -> None:
        """Opens the file and brings it to the current schema; raises LedgerUnavailableError."""
        await asyncio.to_thread(self._writer.open)
        self._thread.start()

    def submit(self, command: Command) -> Acknowledgement[Outcome]:
        """Takes a command, which is then carried out whoever is cancelled; gives its outcome once it is durable, or its error.

        That is LedgerUnavailableError, at once, when too much is waiting.
        """
        future: Acknowledgement[Outcome] = Acknowledgement(loop=self._loop)
        chars = _chars(command)
        if (refusal := self._refusal(chars)) is not None:
            future.set_exception(refusal)
            return future
        if not self._waiting or len(self._waiting[-1].commands) >= MAX_BATCH_COMMANDS:
            self._waiting.append(_Batch())
        batch = self._waiting[-1]
        batch.commands.append(command)
        batch.futures.append(future)
        batch.chars += chars
        self._waiting_commands += 1
        self._waiting_chars += chars
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._gather, self._turns)
        return future

    async def call(self, work: Callable[[BatchWriter], T]) -> T:
        """Lets the thread do something between batches; returns what it returns, raises what it raises."""
        if self._closing:
            raise LedgerUnavailableError("the ledger is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._batches.put(_Job(work, future))
        return await future

    def unintegrated(self) -> int:
        """Returns how many durable entries are not in the Merkle tree yet."""
        return self._writer.newest_seq - self._writer.integrated

    async def drain(self) -> None:
        """Takes nothing more, and returns when what was accepted is durable. Idempotent."""
        self._closing = True
        await self._idle.wait()

    async def close(self) -> None:
        """Drains, checkpoints, closes the file and ends the thread. Idempotent."""
        await self.drain()
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)

    def _refusal(self, chars: int) -> LedgerUnavailableError | None:
        if self._closing:
            return LedgerUnavailableError("the ledger is closed")
        if self._waiting_commands >= MAX_WAITING_COMMANDS:
            return LedgerUnavailableError(
                f"the ledger is behind: {MAX_WAITING_COMMANDS} appends are waiting, the most it takes",
                retry_after_s=RETRY_AFTER_S,
            )
        if self._waiting_chars and self._waiting_chars + chars > MAX_WAITING_CHARS:
            return LedgerUnavailableError(
                f"the ledger is behind: {MAX_WAITING_CHARS} characters are waiting, the most it takes",
                retry_after_s=RETRY_AFTER_S,
            )
        return None

    def _gather(self, turns: int) -> None:
        if turns and not self._closing:
            self._loop.call_soon(self._gather, turns - 1)
        else:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._at_work.acquire()
            self._computing = True
            batch = self._waiting.pop(0)
            self._batches.put(batch)
            # A loop with one run alone is idle until the answer comes, most often before the timer.
            alone = len(batch.commands) == 1
            self._yielding = self._loop.call_later(ALONE_FOR_S if alone else 0, self._yield)
        else:
            self._busy = False
            self._idle.set()

    def _yield(self) -> None:
        """Lets the writer's thread compute for a moment, less when it has nothing more to compute; never waits for the disk.

        A loop that is never idle, with turns shorter than the switch interval, otherwise never gives it the interpreter lock.
        """
        if self._at_work.acquire(timeout=YIELD_FOR_S):
            self._at_work.release()
            self._yielding = self._loop.call_later(ANSWER_WITHIN_S, self._let_answer)
        else:
            self._yielding = self._loop.call_soon(self._yield)

    def _let_answer(self) -> None:
        """Lets the thread in for a blink, should it be back from the disk: it needs the interpreter lock to answer, too."""
        time.sleep(BLINK_S)
        self._yielding = self._loop.call_later(ANSWER_WITHIN_S, self._let_answer)

    def _computed(self) -> None:
        """The thread has computed a batch, and waits for the disk from here on. Idempotent: a batch may be written in parts."""
        if self._computing:
            self._computing = False
            self._at_work.release()

    def _answer(self, batch: _Batch, outcomes: list[Outcome]) -> None:
        self._yielding.cancel()
        self._waiting_commands -= len(batch.commands)
        self._waiting_chars -= batch.chars
        for future, outcome in zip(batch.futures, outcomes, strict=True):
            if isinstance(outcome, MeshflowError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        # After the callers ran, so that what they append next shares the next commit.
        self._turns = turns_after(len(batch.commands))
        self._loop.call_soon(self._gather, self._turns)

    def _work(self) -> None:
        while (item := self._batches.get()) is not None:
            try:
                if isinstance(item, _Job):
                    self._loop.call_soon_threadsafe(_settle, item.future, self._result(item))
                    continue
                outcomes = self._outcomes(item.commands)
                self._computed()
                self._loop.call_soon_threadsafe(self._answer, item, outcomes)
            except RuntimeError:
                break  # the loop was closed without close(): nobody is left to answer
        self._writer.close()

    def _result(self, job: _Job) -> object:
        try:
            return job.work(self._writer)
        except MeshflowError as error:
            return _Raised(error)
        except Exception as error:  # noqa: BLE001
            # The thread's boundary, as in _outcomes.
            self._writer.reopen_later()
            failure = LedgerUnavailableError("the ledger failed", metadata={"cause": type(error).__name__})
            failure.__cause__ = error
            return _Raised(failure)

    def _outcomes(self, commands: list[Command]) -> list[Outcome]:
        try:
            return self._writer.write(commands)
        except Exception as error:  # noqa: BLE001
            # The thread's boundary: without an answer every caller would wait for ever.
            self._writer.reopen_later()
            failure = LedgerUnavailableError("the ledger failed to write", metadata={"cause": type(error).__name__})
            failure.__cause__ = error
            return [failure for _ in commands]


def _chars(command: Command) -> int:
    drafts = command.drafts if isinstance(command, Append) else (command.draft,)
    return sum([len(draft.input or "") + len(draft.output or "") for draft in drafts])


def _settle(future: asyncio.Future[Any], result: object) -> None:
    if future.done():
        return
    if isinstance(result, _Raised):
        future.set_exception(result.error)
    else:
        future.set_result(result)
