"""Statistics of runs that opted in, per tenant and workflow: a projection of the ledger, kept while it is fresh."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.governance.learning import WorkflowStatistics
from meshflow_grpc.ports.storage import RunQuery

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.storage import Storage

# The newest runs of a workflow that are looked at, and the most of them that are learned from.
LOOKED_AT = 200
LEARNED_FROM = 50
# Other servers' runs are seen after so long.
FRESH_S = 60.0
MAX_WORKFLOWS = 1024


@dataclass(slots=True)
class _Known:
    statistics: WorkflowStatistics
    read_at: float
    ended: list[Run] = field(default_factory=list)


class Learning:
    """Reads what the runs of a tenant's workflow taught. Tenants never learn from each other."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._known: dict[tuple[str, str], _Known] = {}

    async def of(self, tenant_id: str, workflow: str) -> WorkflowStatistics:
        """The statistics as of now, with all runs that ended in this process; raises LedgerUnavailableError."""
        key, now = (tenant_id, workflow), self._clock.monotonic()
        known = self._known.get(key)
        if known is None or now - known.read_at > FRESH_S:
            known = self._known[key] = _Known(await self._read(tenant_id, workflow), now)
            while len(self._known) > MAX_WORKFLOWS:
                del self._known[next(iter(self._known))]
        while known.ended:
            run = known.ended.pop()
            known.statistics.add_run(await run_entries(self._storage, run.tenant_id, run.run_id))
        return known.statistics

    def ended(self, run: Run) -> None:
        """A run ended in this process: it is folded in when the statistics are asked for next."""
        known = self._known.get((run.tenant_id, run.workflow))
        if known is not None and opted_in(run):
            known.ended.append(run)

    async def _read(self, tenant_id: str, workflow: str) -> WorkflowStatistics:
        page = await self._storage.list_runs(RunQuery(tenant_id, LOOKED_AT, workflow=workflow))
        statistics = WorkflowStatistics()
        for run in [run for run in page.runs if run.status.ended and opted_in(run)][:LEARNED_FROM]:
            statistics.add_run(await run_entries(self._storage, run.tenant_id, run.run_id))
        return statistics


def opted_in(run: Run) -> bool:
    """Whether the run's policy lets others learn from it."""
    return run.policy.get("enable_cross_run_learning") is True
