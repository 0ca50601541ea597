"""Windows on growing outputs: what decides how much of one can be shown before it is judged as a whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Window(Protocol):
    """Decides what of a growing output can be shown."""

    def add(self, piece: str) -> str:
        """Takes the next piece and returns what can be shown now."""
        ...


class Windows:
    """Opens windows. What they share takes a while to build, so that is done once, on first use and in a thread."""

    def __init__(self, build: Callable[[], Callable[[], Window]]) -> None:
        """``build`` returns what opens a window."""
        self._build = build
        self._building = asyncio.Lock()
        self._open: Callable[[], Window] | None = None

    async def open(self) -> Window:
        """A window on an output that has not begun."""
        if self._open is None:
            async with self._building:
                if self._open is None:
                    self._open = await asyncio.to_thread(self._build)
        return self._open()
