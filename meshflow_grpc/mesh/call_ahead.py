"""A call whose headers travel while the caller still writes down what it is about to ask for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.mesh.call_channels import PeerConnection


class CallAhead:
    """A run that a peer is about to be asked for. Until ``go`` nothing of the request is sent, and the peer's handler is not called.

    What it saves is the way there: threads that rested are awake at both ends when the request comes.
    """

    def __init__(self, peer: PeerConnection, request: bytes, fresh_s: float, **options: object) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._request = request
        self._go: asyncio.Future[None] = loop.create_future()
        self._fresh_until = loop.time() + fresh_s
        self._call = peer.begin_run(self._body(), **options)

    async def _body(self) -> AsyncGenerator[bytes, None]:
        await self._go
        yield self._request

    @property
    def usable(self) -> bool:
        """Whether the call still stands, with most of its time left."""
        return not self._call.done() and self._loop.time() < self._fresh_until

    def go(self) -> Any:  # noqa: ANN401 - as PeerConnection.call
        """Sends the request; returns the call under way."""
        self._go.set_result(None)
        return self._call

    def take_back(self) -> None:
        """Cancels a call that has not ended. Idempotent."""
        self._go.cancel()
        self._call.cancel()
