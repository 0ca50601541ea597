"""Streams of events: of one call, and of a run that is executed across broken connections."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc

from meshflow_grpc.client.async_calls import messages
from meshflow_grpc.client.errors import MeshflowCallError, is_break

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from meshflow_grpc.client.connection import Connection
    from meshflow_grpc.client.messages import RunEvent

    EventCall = grpc.aio.UnaryStreamCall[Any, RunEvent]

_MAX_RECONNECT_DELAY_S = 5.0


def reconnect_delay_s(connection: Connection, broken: int) -> float:
    """How long to wait after so many breaks in a row."""
    return min(connection.reconnect_delay_s * 2.0**broken, _MAX_RECONNECT_DELAY_S)


async def events_of_run(
    start: Callable[[float | None], EventCall], connection: Connection, timeout_s: float | None
) -> AsyncGenerator[RunEvent, None]:
    """Yields the events of a run that `start` begins, each once, to its end or to where it waits for a human.

    After a break `start` is called again, with the time left: it must carry a request id, under which the second call attaches to
    the run and shows it from its beginning. Raises MeshflowCallError for a refusal, or the break after which there was none left.
    """
    loop = asyncio.get_running_loop()
    deadline = None if timeout_s is None else loop.time() + timeout_s
    shown = broken = 0
    while True:
        try:
            async with aclosing(messages(start(None if deadline is None else deadline - loop.time()))) as events:
                async for event in events:
                    if event.HasField("sequence") and event.sequence <= shown:
                        continue
                    shown = event.sequence if event.HasField("sequence") else shown
                    broken = 0
                    yield event
        except MeshflowCallError as error:
            if not is_break(error) or broken >= connection.reconnects:
                raise
        else:
            return
        await asyncio.sleep(reconnect_delay_s(connection, broken))
        broken += 1
