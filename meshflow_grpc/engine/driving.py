"""What a durable engine has a server do: drive a run until it has ended or only humans or the clock can move it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.approval import ApprovalStatus
from meshflow_grpc.domain.run import RunStatus

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.engine.dispatched import DispatchedEngine
    from meshflow_grpc.engine.gate_expiry import GateExpiry
    from meshflow_grpc.engine.gates import Gates
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.storage import Storage

# A run that is claimed for a decision is let go without having ended, or waits for nobody just now: so it is looked at again.
LOOK_AGAIN_S: Final = 1.0
SOONEST_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Driven:
    """How far a run is: its status, and of a paused one the action digest by approval it waits for, and how long at most."""

    status: str
    gates: dict[str, str]
    wait_s: float | None = None


class NotDrivenHereError(Exception):
    """Another server executes the run, or this one has no room for it or stops; to be tried again."""


class RunDriver:
    """Drives one run at a call."""

    def __init__(
        self, engine: DispatchedEngine, storage: Storage, gates: Gates, expiry: GateExpiry, clock: Clock
    ) -> None:
        self._engine = engine
        self._storage = storage
        self._gates = gates
        self._expiry = expiry
        self._clock = clock

    async def drive(self, tenant_id: str, run_id: str) -> Driven:
        """Follows the run if it is executed here, else takes it up. Cancelling this does not touch the run.

        Raises NotDrivenHereError, RunNotFoundError, LedgerUnavailableError, and StoppedError when the server stops.
        """
        while True:
            active = self._engine.active(run_id)
            if active is None:
                run = await self._storage.get_run(tenant_id, run_id)
                if run.status.ended:
                    return Driven(run.status.value, {})
                if run.status is RunStatus.PAUSED:
                    if (waiting := await self._waiting(run)) is not None:
                        return waiting
                    continue
                active = await self._engine.take_up(run)
                if active is None:
                    raise NotDrivenHereError(run_id)
            if (await asyncio.wait((active.done,), timeout=LOOK_AGAIN_S))[0]:
                active.done.result()
            await asyncio.sleep(0)

    async def _waiting(self, run: Run) -> Driven | None:
        """What a paused run waits for; None when it is to be looked at again."""
        if await self._expiry.expire_run(run):
            return None
        asked = [each for each in await self._gates.of_run(run) if each.status is ApprovalStatus.PENDING]
        if not asked:
            await asyncio.sleep(LOOK_AGAIN_S)
            return None
        now = datetime.fromisoformat(self._clock.now())
        left = [(datetime.fromisoformat(each.expire_time) - now).total_seconds() for each in asked]
        gates = {each.approval_id: each.action_digest for each in asked}
        return Driven(run.status.value, gates, max(SOONEST_S, min(left)))
