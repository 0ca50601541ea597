"""Model providers that do what a test says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.ports.provider import ModelReply, ModelRequest, Price

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class FakeProvider:
    """Answers each agent from a script: text, a reply, an exception to raise, or a coroutine function; else "<agent> done"."""

    name = "fake"
    default_model = "fake-mini"

    def __init__(self, script: dict[str, list[object]] | None = None) -> None:
        self.script = script or {}
        self.requests: list[ModelRequest] = []

    def price(self, model: str) -> Price:
        """1,000 nano-USD a token in, 2,000 out."""
        del model
        return Price(1_000, 2_000)

    def max_input_tokens(self, text: str) -> int:
        """One token a character."""
        return len(text)

    async def complete(self, request: ModelRequest, on_delta: Callable[[str], None] | None = None) -> ModelReply:
        """Takes the next line of the agent's script."""
        del on_delta
        self.requests.append(request)
        lines = self.script.get(request.agent_id, [])
        line = lines.pop(0) if lines else f"{request.agent_id} done"
        if isinstance(line, BaseException):
            raise line
        text = await line(request) if callable(line) else line
        if isinstance(text, ModelReply):
            return text
        assert isinstance(text, str)
        return ModelReply(
            text, request.model, input_tokens=len(request.prompt), output_tokens=len(text), confidence=0.9
        )

    async def close(self) -> None:
        """Nothing to release."""


def gate() -> tuple[Callable[[ModelRequest], Awaitable[str]], asyncio.Event, asyncio.Event]:
    """A script line that waits: (line, started, release)."""
    started, release = asyncio.Event(), asyncio.Event()

    async def line(request: ModelRequest) -> str:
        started.set()
        await release.wait()
        return f"{request.agent_id} released"

    return line, started, release


class StreamingProvider(FakeProvider):
    """Hands each answer on in pieces of ``size`` characters; an Exception in a list of answers breaks one off where it stands."""

    def __init__(self, script: dict[str, list[object]] | None = None, size: int = 9) -> None:
        super().__init__(script)
        self.size = size

    async def complete(self, request: ModelRequest, on_delta: Callable[[str], None] | None = None) -> ModelReply:
        """A line of the script may be (text, exception): that much is streamed before it fails."""
        lines = self.script.get(request.agent_id, [])
        failure = None
        if lines and type(lines[0]) is tuple:
            lines[0], failure = lines[0]
        reply = await super().complete(request)
        for place in range(0, len(reply.text), self.size):
            await asyncio.sleep(0)
            if on_delta is not None:
                on_delta(reply.text[place : place + self.size])
        if failure is not None:
            raise failure
        return reply
