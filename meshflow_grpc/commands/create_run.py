"""CreateRun: starts a run that goes on without the caller."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal, Run, RunRequest
    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.gates import Gates


class CreateRunCommand:
    """Starts a run in the background."""

    def __init__(self, engine: Engine, gates: Gates) -> None:
        self._engine = engine
        self._gates = gates

    async def execute(self, principal: Principal, request: RunRequest) -> Run:
        """Returns the run as soon as its start is durable."""
        admitted = await self._engine.admit(principal, request)
        active = self._engine.start(admitted, self._engine.new_run_id())
        return await self._gates.with_pending(await asyncio.shield(active.created))
