"""DiffRuns: how two runs differ, node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.ledger.run_diff import RunDiff, diff_runs

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.ports.storage import Storage


class DiffRunsCommand:
    """Compares two runs of the caller's tenant."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def execute(self, principal: Principal, run_a: str, run_b: str) -> RunDiff:
        """Returns the difference; deltas are B minus A. Raises InvalidRequestError, RunNotFoundError."""
        missing = [name for name, value in (("run_a", run_a), ("run_b", run_b)) if not value]
        if missing:
            raise InvalidRequestError.of(*(FieldViolation(name, "is required: the id of a run") for name in missing))
        tenant = principal.tenant_id
        return diff_runs(
            await self._storage.get_run(tenant, run_a),
            await run_entries(self._storage, tenant, run_a),
            await self._storage.get_run(tenant, run_b),
            await run_entries(self._storage, tenant, run_b),
        )
