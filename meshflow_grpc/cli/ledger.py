"""``meshflow ledger``: reads and verifies a ledger itself, with or without a server running."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshflow_grpc.cli.output import (
    OutputFormat,
    write_records,
    write_table,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.ports.storage import Storage

app = typer.Typer(help="Read and verify a ledger, with or without a server running.", no_args_is_help=True)

_SHORT = 12
Db = Annotated[str | None, typer.Option("--db", help="The ledger. Default: MESHFLOW_LEDGER_DB, meshflow_runs.db.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Whose runs.")]
Output = Annotated[OutputFormat, typer.Option("--output", "-o", help="How to print.")]


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="The run.", show_default=False)],
    db: Db = None,
    tenant: Tenant = "default",
    output: Output = OutputFormat.TABLE,
) -> None:
    """Shows the entries of a run in the order of the chain."""
    entries = asyncio.run(_entries(db, tenant, run_id))
    if output is not OutputFormat.TABLE:
        write_records(map(_entry_json, entries), output)
        return
    write_table(
        ("SEQ", "RUN", "NODE", "KIND", "TIME", "PREV_HASH", "HASH"),
        (
            (
                str(entry.seq),
                entry.run_id,
                entry.node_id or "-",
                entry.kind,
                entry.time,
                entry.prev_hash[:_SHORT],
                entry.hash[:_SHORT],
            )
            for entry in entries
        ),
    )


async def _entries(db: str | None, tenant: str, run_id: str) -> tuple[LedgerEntry, ...]:
    from meshflow_grpc.engine.run_entries import run_entries

    async with reading(db) as storage:
        return await run_entries(storage, tenant, run_id)


@asynccontextmanager
async def reading(db: str | None) -> AsyncIterator[Storage]:
    """Opens a ledger for reading, beside the server that may be writing it."""
    from meshflow_grpc.config import load_ledger_settings
    from meshflow_grpc.storage.factory import open_storage

    settings = load_ledger_settings(ledger_db=db)
    storage = await open_storage(settings.ledger_db, read_only=True, pool_min=1, payload_keys=settings.payload_keys)
    try:
        yield storage
    finally:
        await storage.close()


def _entry_json(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "run_id": entry.run_id,
        "sequence": entry.sequence,
        "node_id": entry.node_id,
        "kind": entry.kind,
        "step_id": entry.step_id,
        "attempt": entry.attempt,
        "time": entry.time,
        "input": entry.input,
        "output": entry.output,
        "prev_hash": entry.prev_hash,
        "hash": entry.hash,
        "record": entry.record.decode(),
    }
