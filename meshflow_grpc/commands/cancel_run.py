"""CancelRun: ends a run; confirmed, not hoped for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.domain.run import CancelReason, RunStatus

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal, Run
    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.gates import Gates
    from meshflow_grpc.ports.storage import Storage

MAX_REASON_CHARS = 500


class CancelRunCommand:
    """Cancels a run of the caller's tenant."""

    def __init__(self, engine: Engine, storage: Storage, gates: Gates) -> None:
        self._gates = gates
        self._engine = engine
        self._storage = storage

    async def execute(self, principal: Principal, run_id: str, *, reason: str) -> Run:
        """Returns the run when its end is durable; a run that already ended is returned unchanged."""
        if len(reason) > MAX_REASON_CHARS:
            raise InvalidRequestError.of(FieldViolation("reason", f"must have at most {MAX_REASON_CHARS} characters"))
        while True:
            run = await self._storage.get_run(principal.tenant_id, run_id)
            if run.status.ended:
                return run
            active = self._engine.active(run_id)
            if active is not None:
                active.cancel(CancelReason.REQUEST, reason)
                await asyncio.shield(active.done)
                await asyncio.sleep(0)
            elif run.status is RunStatus.PAUSED:
                text = CancelReason.REQUEST.value + (f": {reason}" if reason else "")
                await self._gates.cancel(run, principal, text)
            else:
                if await self._engine.cancel_elsewhere(run, reason) is None:
                    # It may have ended after it was read.
                    return await self._storage.get_run(principal.tenant_id, run_id)
