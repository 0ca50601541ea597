"""Server-Sent Events: resuming after an event, and heartbeats."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.rpc.convert.event import HEARTBEAT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

T = TypeVar("T")
_MAX_SEQUENCE = 2**31 - 1


def last_event_id(header: str | None, after_sequence: int) -> int:
    """The header a reconnecting EventSource sends wins over the query, which the command checks where it counts."""
    if header is None or not header.strip() or after_sequence < 0:
        return after_sequence
    text = header.strip()
    if not (text.isascii() and text.isdigit() and int(text) <= _MAX_SEQUENCE):
        raise InvalidRequestError.of(FieldViolation("Last-Event-ID", "must be the id of an event of this stream"))
    return int(text)


async def with_heartbeats(
    events: AsyncGenerator[T, None], block: Callable[[T], bytes], every_s: float
) -> AsyncGenerator[bytes, None]:
    """SSE blocks, with a comment whenever nothing happened for a while, so that proxies keep the connection."""
    upcoming: asyncio.Task[T] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait((upcoming,), timeout=every_s)
            if not done:
                yield HEARTBEAT
                continue
            try:
                event = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = None
            yield block(event)
    finally:
        if upcoming is not None:
            upcoming.cancel()
            await asyncio.wait((upcoming,))
        await events.aclose()
