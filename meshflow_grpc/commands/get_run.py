"""GetRun: a run as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal, Run
    from meshflow_grpc.engine.gates import Gates
    from meshflow_grpc.ports.storage import Storage


class GetRunCommand:
    """Reads one run of the caller's tenant."""

    def __init__(self, storage: Storage, gates: Gates) -> None:
        self._storage = storage
        self._gates = gates

    async def execute(self, principal: Principal, run_id: str) -> Run:
        """Raises RunNotFoundError, also for another tenant's run."""
        return await self._gates.with_pending(await self._storage.get_run(principal.tenant_id, run_id))
