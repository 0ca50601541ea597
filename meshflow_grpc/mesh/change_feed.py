"""What happened in the mesh, kept for those who look later and told to those who watch."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.domain.mesh import MeshChange

KEPT = 1_000


class ChangeFeed:
    """The last thousand changes, numbered from 1 since this server started. Publishing never waits."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, MeshChange]] = deque(maxlen=KEPT)
        self._newest = 0
        self._wakes: set[asyncio.Event] = set()

    def publish(self, change: MeshChange) -> None:
        """Keeps a change and wakes all watchers."""
        self._newest += 1
        self._kept.append((self._newest, change))
        for wake in self._wakes:
            wake.set()

    async def watch(self, tenant_id: str, after: int) -> AsyncGenerator[tuple[int, MeshChange], None]:
        """Changes above a number that concern a tenant, then those to come, without end.

        A number that was not given yet is from before a restart: all that is kept is told then.
        """
        wake = asyncio.Event()
        self._wakes.add(wake)
        last = after if after <= self._newest else 0
        try:
            while True:
                wake.clear()
                for number, change in [each for each in self._kept if each[0] > last]:
                    last = number
                    if change.tenant_id in {"", tenant_id}:
                        yield number, change
                if self._newest == last or not self._kept:
                    await wake.wait()
        finally:
            self._wakes.discard(wake)
