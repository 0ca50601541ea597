"""``meshflow db``: the ledger's schema."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.ledger import Db, Output
from meshflow_grpc.cli.output import OutputFormat, write_fields, write_record

if TYPE_CHECKING:
    from meshflow_grpc.storage.schema import SchemaStatus

app = typer.Typer(help="The ledger's schema: how far it is, and bring it up to date.", no_args_is_help=True)


@app.command()
def status(db: Db = None, output: Output = OutputFormat.TABLE) -> None:
    """Shows the schema's version and what is pending; exit code 1 when something is."""
    from meshflow_grpc.storage.schema import schema_status

    found = asyncio.run(schema_status(_url(db)))
    _write(found, output)
    if found.pending:
        raise typer.Exit(ExitCode.RUN_FAILED)


@app.command()
def migrate(
    db: Db = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be applied.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Applies pending migrations, each in a transaction of its own; a server does the same when it starts."""
    from meshflow_grpc.storage.schema import migrate_schema, schema_status

    before = asyncio.run((schema_status if dry_run else migrate_schema)(_url(db)))
    _write(before, output)
    if before.pending:
        typer.echo("nothing was changed" if dry_run else f"applied {len(before.pending)} migrations", err=True)


def _url(db: str | None) -> str:
    from meshflow_grpc.config import load_ledger_settings

    return load_ledger_settings(ledger_db=db).ledger_db


def _write(status: SchemaStatus, output: OutputFormat) -> None:
    if output is OutputFormat.TABLE:
        pending = ", ".join(map(str, status.pending)) or "none"
        write_fields((("version", str(status.version)), ("pending", pending)))
    else:
        write_record({"version": status.version, "pending": list(status.pending)}, output)
