"""``meshflow ledger gc``: deletes runs and payloads that are past their retention, and says what is kept and why."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from meshflow_grpc.cli.ledger import Db, Output
from meshflow_grpc.cli.output import OutputFormat, stderr_console, write_records, write_table

if TYPE_CHECKING:
    from meshflow_grpc.config.ledger import LedgerSettings
    from meshflow_grpc.governance.retention import RetentionVerdict


def register(app: typer.Typer) -> None:
    """Adds the command to ``meshflow ledger``."""
    app.command()(gc)


def gc(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted; a server may run.")
    ] = False,
    keep_days: Annotated[
        int | None, typer.Option(help="Days a run is kept after its end. Default: MESHFLOW_RETENTION_DAYS.")
    ] = None,
    payloads_only: Annotated[
        bool, typer.Option("--payloads-only", help="Erase payloads whose time is over; delete no run.")
    ] = False,
    by: Annotated[str, typer.Option(help="Who deletes; it is recorded.")] = "local",
    db: Db = None,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose runs. Default: everybody's.")] = "",
    output: Output = OutputFormat.TABLE,
) -> None:
    """Deletes runs that ended longer ago than they are to be kept, and payloads past the time that their run's start gave them.

    A run leaves a tombstone, payloads the entry of their erasure. Needs the ledger for itself.
    """
    from meshflow_grpc.config import load_ledger_settings

    settings = load_ledger_settings(ledger_db=db)
    if payloads_only and keep_days is not None:
        raise typer.BadParameter(
            "no run is deleted with --payloads-only; leave one of them out", param_hint="--keep-days"
        )
    days = None if payloads_only else _days(keep_days, settings, dry_run=dry_run)
    verdicts = asyncio.run(_collect(settings, days, tenant, by, delete=not dry_run))
    shown = [verdict for verdict in verdicts if verdict.due]
    if output is not OutputFormat.TABLE:
        write_records([_json(verdict, done=not dry_run) for verdict in shown], output)
        return
    did, gone = ("would delete", "would erase payloads") if dry_run else ("deleted", "erased payloads")
    write_table(
        ("RUN", "TENANT", "ENDED", "DECISION", "WHY"),
        (
            (each.run.run_id, each.run.tenant_id, each.run.update_time, _done(each, did, gone), each.why)
            for each in shown
        ),
    )
    counted = Counter(_done(verdict, did, gone) for verdict in verdicts)
    erased = f"{counted[gone]} {gone if dry_run else 'without payloads'}, " if counted[gone] else ""
    typer.echo(f"{counted[did]} {did if dry_run else 'runs deleted'}, {erased}{counted['kept']} kept")


def _done(verdict: RetentionVerdict, deleted: str, erased: str) -> str:
    if verdict.delete:
        return deleted
    return erased if verdict.erase else "kept"


def _days(given: int | None, settings: LedgerSettings, *, dry_run: bool) -> int | None:
    """None when a dry run is told of no period: then every run is kept, and payloads as long as their runs say."""
    from meshflow_grpc.governance.retention import LEAST_DAYS

    days = given if given is not None else settings.retention_days
    if days is None and dry_run:
        told = "no period is set, so no run would be deleted: name one with --keep-days or MESHFLOW_RETENTION_DAYS"
        stderr_console().print(told, highlight=False)
        return None
    if days is None:
        raise typer.BadParameter(
            "say how long runs are kept, here or in MESHFLOW_RETENTION_DAYS; until then all are kept",
            param_hint="--keep-days",
        )
    if days < LEAST_DAYS:
        raise typer.BadParameter(
            f"must be at least {LEAST_DAYS}: logs are kept for six months (EU AI Act, Art. 19 and 26)",
            param_hint="--keep-days",
        )
    return days


async def _collect(
    settings: LedgerSettings, keep_days: int | None, tenant: str, by: str, *, delete: bool
) -> list[RetentionVerdict]:
    from meshflow_grpc.commands.expire_runs import expire_run, judged_runs, tenants_of
    from meshflow_grpc.storage.factory import open_storage
    from meshflow_grpc.system import SystemClock

    clock = SystemClock()
    storage = await open_storage(
        settings.ledger_db, read_only=not delete, pool_min=1, payload_keys=settings.payload_keys
    )
    try:
        with stderr_console().status("reading the runs") as status:
            tenants = (tenant,) if tenant else await tenants_of(storage)
            found = [
                verdict for each in tenants async for verdict in judged_runs(storage, each, keep_days, clock.now())
            ]
            due = [verdict for verdict in found if verdict.delete or verdict.erase] if delete else []
            for number, verdict in enumerate(due, 1):
                status.update(f"clearing run {number} of {len(due)}")
                await expire_run(storage, clock, verdict, by)
    finally:
        await storage.close()
    return found


def _json(verdict: RetentionVerdict, *, done: bool) -> dict[str, object]:
    return {
        "run_id": verdict.run.run_id,
        "tenant_id": verdict.run.tenant_id,
        "end_time": verdict.run.update_time,
        "delete": verdict.delete,
        "deleted": verdict.delete and done,
        "erase": verdict.erase,
        "erased": verdict.erase and done,
        "why": verdict.why,
    }
