"""Retention: which runs are past their time, and their deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.commands.erase_run import EraseMode, EraseRunCommand
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.governance.retention import retention_of
from meshflow_grpc.ports.storage import RunQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.governance.retention import RetentionVerdict
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.storage import Storage

_PAGE = 500


async def tenants_of(storage: Storage) -> tuple[str, ...]:
    """Every tenant that has a run or a tombstone in the ledger."""
    async with storage.raw_log() as log:
        return tuple(sorted({tenant for tenant, _ in log.runs}))


async def judged_runs(storage: Storage, tenant_id: str, keep_days: int, now: str) -> AsyncIterator[RetentionVerdict]:
    """Yields a verdict for each run of a tenant, newest first; nothing is changed."""
    token = ""
    while True:
        page = await storage.list_runs(RunQuery(tenant_id, _PAGE, token))
        for run in page.runs:
            yield retention_of(run, keep_days, now)
        token = page.next_page_token
        if not token:
            return


async def expire_run(storage: Storage, clock: Clock, verdict: RetentionVerdict, by: str) -> int:
    """Deletes a run whose verdict says so and returns how many entries it had; its tombstone says why. Idempotent."""
    run = verdict.run
    command = EraseRunCommand(storage, clock)
    principal = Principal(by, run.tenant_id, method="local")
    erased = await command.execute(
        principal, run.run_id, basis=f"retention: {verdict.why}", mode=EraseMode.DELETE.value
    )
    return erased.entries
