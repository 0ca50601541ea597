"""Leases where nobody else can have a run: a ledger that one process writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.run import RECORDED_WORKFLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ports.storage import Storage


class SoleServer:
    """See ``ports.leases.RunLeases``: every run is this process's own."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @property
    def shared(self) -> bool:
        """See RunLeases."""
        return False

    def current(self) -> bool:
        """See RunLeases."""
        return True

    def accompanied(self) -> bool:
        """See RunLeases."""
        return False

    async def renew(self) -> None:
        """See RunLeases."""

    async def confirm(self, run_id: str) -> None:
        """See RunLeases."""

    async def claim(self, run_id: str) -> bool:
        """See RunLeases."""
        del run_id
        return True

    async def give_back(self, run_id: str) -> None:
        """See RunLeases."""

    async def orphans(self, limit: int, besides: Collection[str] = ()) -> tuple[Run, ...]:
        """See RunLeases. Runs that a program records by hand are its own to end."""
        unfinished = await self._storage.unfinished_runs()
        orphans = [run for run in unfinished if run.workflow != RECORDED_WORKFLOW and run.run_id not in besides]
        return tuple(orphans[:limit])

    async def claim_orphans(self, limit: int, besides: Collection[str] = ()) -> tuple[Run, ...]:
        """See RunLeases."""
        return await self.orphans(limit, besides)

    async def lost(self, run_ids: Collection[str]) -> frozenset[str]:
        """See RunLeases."""
        del run_ids
        return frozenset()

    async def request_cancel(self, run_id: str, detail: str) -> bool:
        """See RunLeases: there is nobody to ask."""
        del run_id, detail
        return False

    async def cancellations(self) -> Mapping[str, str]:
        """See RunLeases."""
        return {}

    def listen(self, on_runs: Callable[[Collection[str]], None], on_duty: Callable[[], None]) -> None:
        """See RunLeases: nobody else writes."""

    async def hand_over(self, run_id: str) -> None:
        """See RunLeases: there is nobody."""
        del run_id

    async def leave(self) -> None:
        """See RunLeases."""
