"""An append cannot be cancelled; when the loop ends with the writer's task, who waits for one is answered all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.storage.batch import Append
from meshflow_grpc.storage.postgres import writer as writer_module
from meshflow_grpc.storage.postgres.connection import PoolOptions
from meshflow_grpc.storage.postgres.writer import Writer


class Stuck:
    """A connection that never answers."""

    async def write(self, _commands: object) -> None:
        """Hangs."""
        await asyncio.Event().wait()


def stuck() -> Any:
    """A writer that is never done with its first batch."""
    writer: Any = Writer("postgresql://nowhere/none", PoolOptions())
    writer._batches = Stuck()
    return writer


async def test_those_being_written_and_those_that_wait_are_told() -> None:
    """Neither keeps the loop from ending."""
    writer = stuck()
    being_written = writer.submit(Append("run_1", (), None))
    await asyncio.sleep(0)
    waiting = writer.submit(Append("run_2", (), None))
    await asyncio.sleep(0)
    writer._working.cancel()
    for answer in (being_written, waiting):
        with pytest.raises(asyncio.CancelledError):
            await answer


async def test_too_many_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an answer, not by the call."""
    monkeypatch.setattr(writer_module, "MAX_WAITING_COMMANDS", 0)
    answer = stuck().submit(Append("run_1", (), None))
    assert answer.done()
    with pytest.raises(LedgerUnavailableError, match="0 appends are waiting"):
        await answer
