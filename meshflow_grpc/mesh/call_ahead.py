"""A call whose headers travel while the caller still writes down what it is about to ask for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


class CallAhead:
    """A run that a peer is about to be asked for. Until ``go`` nothing of the request is sent, and the peer's handler is not called.

    What it saves is the way there: threads that rested are awake at both ends when the request comes. ``begin`` begins the call, with
    what it waits for before it sends the request.
    """

    def __init__(self, begin: Callable[[asyncio.Future[None]], Any], fresh_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._begin = begin
        self._go: asyncio.Future[None] = self._loop.create_future()
        self._call: Any = None
        self._fresh_until = self._loop.time() + fresh_s
        # In the turn after next: what is to be written goes to the ledger's thread in the next one, and is not to wait for this.
        self._loop.call_soon(self._loop.call_soon, self._open)

    def _open(self) -> None:
        if not self._go.done():
            self._call = self._begin(self._go)

    @property
    def usable(self) -> bool:
        """Whether the call has begun and still stands, with most of its time left."""
        return self._call is not None and not self._call.done() and self._loop.time() < self._fresh_until

    def go(self) -> Any:  # noqa: ANN401 - as PeerConnection.call
        """Sends the request; returns the call under way."""
        self._go.set_result(None)
        return self._call

    def take_back(self) -> None:
        """Cancels a call that has not ended, or does not begin it. Idempotent."""
        self._go.cancel()
        if self._call is not None:
            self._call.cancel()


async def once(go: asyncio.Future[None], request: bytes) -> AsyncGenerator[bytes, None]:
    """A request that is sent when ``go`` is done."""
    await go
    yield request
