"""Runs that other servers on the same ledger may execute: whose they are, waiting for them, and cancelling them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.run import EventView, RunStatus

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.engine.event_hub import EventHub
    from meshflow_grpc.ports.leases import RunLeases
    from meshflow_grpc.ports.storage import Storage

_log = structlog.get_logger(__name__)

# How often to look when nothing is heard of a run.
POLL_S: Final = 1.0
MOMENT_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What the engine and the gates know of other servers."""

    leases: RunLeases
    storage: Storage
    hub: EventHub

    async def settled(self, tenant_id: str, run_id: str) -> Run:
        """Returns a run when it has ended or waits for a human, whoever executes it, and however long the ledger is away."""
        with self.hub.subscribe(run_id, EventView.BASIC) as subscription:
            while True:
                subscription.items.clear()
                subscription.lagged = False
                try:
                    run = await self.storage.get_run(tenant_id, run_id)
                except LedgerUnavailableError:
                    _log.warning("ledger_not_reachable", run_id=run_id)
                else:
                    if run.status is not RunStatus.RUNNING:
                        return run
                await subscription.wait(POLL_S)

    async def moved(self, run_id: str) -> bool:
        """Waits for a moment in which another server may have written; False when there can be no other server."""
        if not self.leases.shared:
            return False
        with self.hub.subscribe(run_id, EventView.BASIC) as subscription:
            await subscription.wait(MOMENT_S)
        return True

    async def hand_over(self, run_id: str) -> None:
        """Lets other servers take a run up at once; when the ledger cannot be reached they do so once this one has left."""
        try:
            await self.leases.hand_over(run_id)
        except LedgerUnavailableError as error:
            _log.warning("run_not_handed_over", run_id=run_id, error=error.message)

    async def cancelled(self, run: Run, reason: str) -> Run | None:
        """Asks whoever executes a run to cancel it, and returns it when it has settled; None when there is nobody to ask."""
        if not await self.leases.request_cancel(run.run_id, reason):
            return None
        return await self.settled(run.tenant_id, run.run_id)
