"""Keeps this server's lease, takes up the runs of servers that are gone, and does what others ask of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.run import CancelReason

if TYPE_CHECKING:
    from collections.abc import Collection

    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.event_hub import EventHub
    from meshflow_grpc.ports.leases import RunLeases

_log = structlog.get_logger(__name__)

# Renewals within one lease: two may fail before it expires.
RENEWALS_PER_LEASE: Final = 4


class Ownership:
    """The background duty of a server that shares its ledger with others."""

    def __init__(self, leases: RunLeases, engine: Engine, hub: EventHub) -> None:
        self._leases = leases
        self._engine = engine
        self._duty = asyncio.Event()
        leases.listen(hub.written_elsewhere, self._duty.set)

    async def begin(self) -> int:
        """Takes the lease and the runs that nobody executes; returns how many. Called once, before serving."""
        await self._leases.renew()
        return await self._engine.recover()

    async def keep(self, lease_s: float) -> None:
        """Does the duty again and again, until cancelled."""
        while True:
            self._duty.clear()
            try:
                await self._once()
            except LedgerUnavailableError as error:
                _log.warning("lease_not_renewed", error=error.message)
            try:
                async with asyncio.timeout(lease_s / RENEWALS_PER_LEASE):
                    await self._duty.wait()
            except TimeoutError:
                continue

    async def _once(self) -> None:
        late = not self._leases.current()
        await self._leases.renew()
        if late:
            self._abandon(await self._leases.lost(self._engine.active_runs))
        taken = await self._engine.recover()
        if taken:
            _log.info("runs_taken_up", count=taken)
        for run_id, detail in (await self._leases.cancellations()).items():
            active = self._engine.active(run_id)
            if active is not None:
                active.cancel(CancelReason.REQUEST, detail)

    def _abandon(self, run_ids: Collection[str]) -> None:
        """Stops executing runs that another server has taken up; nothing of them is recorded here any more."""
        for active in map(self._engine.active, run_ids):
            if active is not None and active.executor is not None:
                active.executor.abandon()

    async def leave(self) -> None:
        """Hands over what is still running, for other servers to take up at once."""
        try:
            await self._leases.leave()
        except LedgerUnavailableError as error:
            _log.warning("lease_not_given_up", error=error.message, note="others take its runs up when it expires")
