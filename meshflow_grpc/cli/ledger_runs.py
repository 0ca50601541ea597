"""``meshflow ledger diff|fork|export|erase``: whole runs of a ledger, compared, taken out, and freed of what people wrote."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshflow_grpc.cli.ledger import Db, Output, Tenant
from meshflow_grpc.cli.output import OutputFormat, stderr_console, write_records, write_table

if TYPE_CHECKING:
    from meshflow_grpc.replay.ledger import ReplayLedger

_SHOWN_CHARS = 60


class ExportFormat(StrEnum):
    """What an export is written as."""

    JSON = "json"
    CSV = "csv"


class Mode(StrEnum):
    """What an erasure leaves."""

    ANONYMIZE = "anonymize"
    DELETE = "delete"


def register(app: typer.Typer) -> None:
    """Adds the commands to ``meshflow ledger``."""
    for command in (diff, fork, export, erase):
        app.command()(command)


def diff(
    run_a: Annotated[str, typer.Argument(help="Run A.", show_default=False)],
    run_b: Annotated[str, typer.Argument(help="Run B.", show_default=False)],
    db: Db = None,
    tenant: Tenant = "default",
    output: Output = OutputFormat.TABLE,
) -> None:
    """Shows how run B differs from run A, node by node."""
    found = asyncio.run(_ledger(db, tenant).diff(run_a, run_b))
    if output is not OutputFormat.TABLE:
        write_records([asdict(found)], output)
        return
    changed = {change["node_id"]: change for change in found.changed}
    rows = [(node, "only in A", "", "") for node in found.only_in_a]
    rows += [(node, "only in B", "", "") for node in found.only_in_b]
    rows += [
        (node, "changed", _told(changed[node], "a"), _told(changed[node], "b"))
        if node in changed
        else (node, "same", "", "")
        for node in found.common
    ]
    write_table(("NODE", "DIFFERENCE", "A", "B"), rows)
    typer.echo(f"B - A: {found.cost_delta_usd:+.6f} USD, {found.token_delta:+d} tokens")


def fork(
    run_id: Annotated[str, typer.Argument(help="The run to leave.", show_default=False)],
    before_node: Annotated[str, typer.Option(help="Keep what was committed before this node began.")] = "",
    before_sequence: Annotated[int, typer.Option(help="Keep what was committed before this entry.")] = 0,
    by: Annotated[str, typer.Option(help="Who forks; it is recorded.")] = "local",
    db: Db = None,
    tenant: Tenant = "default",
) -> None:
    """Records a run that goes on from a point of another, once a server starts. None may be running on a SQLite ledger."""
    from meshflow_grpc.engine.fork import ForkPoint

    point = ForkPoint(before_sequence, before_node)
    typer.echo(asyncio.run(_ledger(db, tenant).fork_before(run_id, point, principal_id=by)))
    told = (
        "the fork goes on when a server with this ledger starts; one of a run recorded by hand, with ReplayLedger.write"
    )
    stderr_console().print(told, highlight=False)


def export(
    run_id: Annotated[str, typer.Argument(help="The run.", show_default=False)],
    export_format: Annotated[ExportFormat, typer.Option("--format", help="What to write.")] = ExportFormat.JSON,
    out: Annotated[Path | None, typer.Option(help="File to write; it must not exist. Default: stdout.")] = None,
    db: Db = None,
    tenant: Tenant = "default",
) -> None:
    """Writes a run and its entries as JSON or CSV; `ledger evidence` writes what an auditor verifies."""
    ledger = _ledger(db, tenant)
    wanted = ledger.export_run(run_id) if export_format is ExportFormat.JSON else ledger.export_run_csv(run_id)
    text = asyncio.run(wanted)
    if out is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        return
    try:
        with out.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError as error:
        raise typer.BadParameter(f"{out} exists and is not replaced", param_hint="--out") from error
    stderr_console().print(f"wrote {out}", highlight=False)


def erase(
    run_id: Annotated[str, typer.Argument(help="The run; it must have ended.", show_default=False)],
    basis: Annotated[str, typer.Option(help="Legal ground; it is recorded, so it must hold no personal data.")],
    mode: Annotated[
        Mode, typer.Option(help="Keep the chain without what people wrote, or only a tombstone.")
    ] = Mode.ANONYMIZE,
    include_forks: Annotated[bool, typer.Option("--include-forks", help="Erase the run's forks too.")] = False,
    by: Annotated[str, typer.Option(help="Who erases; it is recorded.")] = "local",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    db: Db = None,
    tenant: Tenant = "default",
) -> None:
    """Erases what people wrote from a run, or deletes the run, for good. The server must not be running on a SQLite ledger."""
    if not yes:
        what = f"all inputs and outputs of {run_id}" if mode is Mode.ANONYMIZE else f"{run_id} with all its entries"
        typer.confirm(f"Erase {what}{' and of its forks' if include_forks else ''} for good?", abort=True)
    ledger = _ledger(db, tenant)
    erased = asyncio.run(
        ledger.erase_run(run_id, mode.value, principal_id=by, basis=basis, include_forks=include_forks)
    )
    if erased.payloads or erased.entries:
        counted = f"{erased.payloads} payloads erased" if erased.payloads else f"{erased.entries} entries deleted"
        typer.echo(f"{run_id}: {counted}")
    else:
        typer.echo(f"{run_id}: nothing left to erase that can be read")
    for fork_id in erased.erased_forks:
        typer.echo(f"{fork_id}: a fork, erased too")
    for fork_id in erased.remaining_forks:
        stderr_console().print(f"{fork_id} is a fork and holds copies: erase it too", highlight=False)


def _told(change: dict[str, str | None], side: str) -> str:
    said = change[f"output_{side}"]
    text = "(no output)" if said is None else said if len(said) <= _SHOWN_CHARS else said[:_SHOWN_CHARS] + "…"
    return f"{change[f'verdict_{side}']}: {text}"


def _ledger(db: str | None, tenant: str) -> ReplayLedger:
    from meshflow_grpc.config import load_ledger_settings
    from meshflow_grpc.replay.ledger import ReplayLedger

    return ReplayLedger(load_ledger_settings(ledger_db=db).ledger_db, tenant_id=tenant)
