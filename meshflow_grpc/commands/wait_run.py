"""WaitRun: waits for a run that goes on without the caller."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.run import RunStatus

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal, Run
    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.gates import Gates
    from meshflow_grpc.ports.storage import Storage

DEFAULT_TIMEOUT_S = 60.0
MAX_TIMEOUT_S = 3600.0


class WaitRunCommand:
    """Waits until a run ends, pauses, or the time is over."""

    def __init__(self, engine: Engine, storage: Storage, gates: Gates) -> None:
        self._gates = gates
        self._engine = engine
        self._storage = storage

    async def execute(self, principal: Principal, run_id: str, *, timeout_s: float) -> Run:
        """Returns the run as it stands then; 0 means the default of 60 s. Going away does not touch the run."""
        if not math.isfinite(timeout_s) or not 0 <= timeout_s <= MAX_TIMEOUT_S:
            raise InvalidRequestError.of(
                FieldViolation("timeout_s", f"must be more than 0 and at most {MAX_TIMEOUT_S:g}")
            )
        run = await self._storage.get_run(principal.tenant_id, run_id)
        active = self._engine.active(run_id)
        if run.status is not RunStatus.RUNNING:
            return await self._gates.with_pending(run)
        try:
            async with asyncio.timeout(timeout_s or DEFAULT_TIMEOUT_S):
                if active is None:
                    ended = await self._engine.elsewhere.settled(run.tenant_id, run_id)
                else:
                    ended = await asyncio.shield(active.done)
                return await self._gates.with_pending(ended)
        except TimeoutError:
            return await self._gates.with_pending(await self._storage.get_run(principal.tenant_id, run_id))
