"""Retention: which runs, or payloads of runs, are past their time, and their deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.commands.erase_run import EraseMode, EraseRunCommand
from meshflow_grpc.domain.errors import PayloadKeyUnavailableError
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.governance.retention import RetentionVerdict, hold_of, retention_of
from meshflow_grpc.governance.storage_limit import PAYLOAD_DAYS, overdue
from meshflow_grpc.ports.storage import RunQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.storage import Storage

_PAGE = 500


async def tenants_of(storage: Storage) -> tuple[str, ...]:
    """Every tenant that has a run or a tombstone in the ledger."""
    async with storage.raw_log() as log:
        return tuple(sorted({tenant for tenant, _ in log.runs if isinstance(tenant, str)}))


async def judged_runs(
    storage: Storage, tenant_id: str, keep_days: int | None, now: str
) -> AsyncIterator[RetentionVerdict]:
    """Yields a verdict for each run of a tenant, newest first; nothing is changed. Without ``keep_days`` only payloads go."""
    token = ""
    while True:
        page = await storage.list_runs(RunQuery(tenant_id, _PAGE, token))
        for run in page.runs:
            verdict = retention_of(run, keep_days, now)
            yield verdict if verdict.delete or not run.status.ended else await _with_payloads(storage, verdict, now)
        token = page.next_page_token
        if not token:
            return


async def expire_run(storage: Storage, clock: Clock, verdict: RetentionVerdict, by: str) -> int:
    """Deletes a run whose verdict says so, or its payloads, and returns how many entries or payloads it had. Idempotent.

    Its tombstone, or the entry of the erasure, says why.
    """
    run = verdict.run
    command = EraseRunCommand(storage, clock)
    principal = Principal(by, run.tenant_id, method="local")
    mode = EraseMode.DELETE if verdict.delete else EraseMode.ANONYMIZE
    erased = await command.execute(principal, run.run_id, basis=f"retention: {verdict.why}", mode=mode.value)
    return erased.entries if verdict.delete else erased.payloads


async def _with_payloads(storage: Storage, verdict: RetentionVerdict, now: str) -> RetentionVerdict:
    """The verdict on a run that is kept, with what becomes of its payloads by what its first entry says."""
    run = verdict.run
    try:
        start = (await storage.entries(run.tenant_id, run.run_id, limit=1))[0]
    except PayloadKeyUnavailableError:
        return verdict
    days = start.facts.get(PAYLOAD_DAYS)
    gone = start.input is None and start.output is None
    if gone or not isinstance(days, int) or not overdue(run.update_time, days, now):
        return verdict
    if hold := hold_of(run.labels):
        return RetentionVerdict(run, delete=False, due=True, why=f"it is under a legal hold ({hold})")
    why = f"its start gave its payloads {days} days after its end"
    return RetentionVerdict(run, delete=False, due=True, why=why, erase=True)
