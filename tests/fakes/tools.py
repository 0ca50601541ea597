"""An application with tools of every kind, which count what they did."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc import Registry, ToolContext, ToolError, tool

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Application:
    """A registry and what its tools did."""

    effects: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    seen_cancelled: threading.Event = field(default_factory=threading.Event)
    blocking: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def registry(self) -> Registry:
        """The tools: look, leak, order (idempotent), mail (external), pay (irreversible), hang, block; functions: join, shout."""
        made = Registry(*self._reading(), *self._acting(), *self._waiting())

        @made.function("join")
        def join(data: dict[str, object]) -> dict[str, object]:
            return {"seen": data, "count": 2}

        @made.function("bad")
        def bad(data: dict[str, object]) -> object:
            return {1, len(data)}

        return made

    def _reading(self) -> list[Callable[..., object]]:
        @tool(risk="read_only")
        def look(topic: str) -> str:
            """Looks something up outside."""
            self.effects.append(f"look {topic}")
            return f"about {topic}"

        @tool(risk="read_only", labels="secret")
        def vault() -> str:
            """Gives a secret."""
            return "the combination"

        @tool(risk="read_only", labels=())
        async def echo(text: str, times: int = 1) -> dict[str, object]:
            """Repeats, or fails as told."""
            if self.failures:
                raise self.failures.pop(0)
            return {"said": text * times}

        return [look, vault, echo]

    def _acting(self) -> list[Callable[..., object]]:
        async def act(what: str, context: ToolContext) -> str:
            await asyncio.sleep(0)
            self.effects.append(what)
            self.keys.append(context.idempotency_key)
            await asyncio.sleep(0)
            return f"done: {what}"

        @tool(risk="irreversible", labels=())
        async def pay(amount: int, context: ToolContext) -> str:
            """Pays."""
            return await act(f"pay {amount}", context)

        @tool(risk="external_io", labels=())
        async def mail(text: str, context: ToolContext) -> str:
            """Sends a message."""
            return await act(f"mail {text}", context)

        @tool(risk="external_io", labels=(), idempotent=True)
        async def order(item: str, context: ToolContext) -> str:
            """Orders, once per key."""
            return await act(f"order {item}", context)

        return [pay, mail, order]

    def _waiting(self) -> list[Callable[..., object]]:
        @tool(risk="internal", labels=())
        async def hang() -> str:
            """Never ends."""
            self.started.set()
            await asyncio.Event().wait()
            return ""

        @tool(risk="internal", labels=())
        def block(context: ToolContext) -> str:
            """Blocks its thread until it is told that nobody waits."""
            self.blocking.set()
            while not context.cancelled() and not self.release.wait(0.005):
                pass
            self.seen_cancelled.set()
            return "late"

        @tool(risk="internal", labels=())
        def fails() -> str:
            """Says that it failed."""
            raise ToolError("out of stock")

        return [hang, block, fails]
