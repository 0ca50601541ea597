"""``meshflow ledger``: reads and verifies a ledger itself, with or without a server running."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.output import (
    OutputFormat,
    stderr_console,
    write_records,
    write_table,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from meshflow_grpc.domain.check import ChainVerification
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.ports.storage import Storage

app = typer.Typer(help="Read and verify a ledger, with or without a server running.", no_args_is_help=True)

_PAGE = 500
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


@app.command()
def verify(
    run_ids: Annotated[
        list[str] | None, typer.Argument(help="The runs; without any, all are verified.", show_default=False)
    ] = None,
    db: Db = None,
    tenant: Tenant = "default",
    output: Output = OutputFormat.TABLE,
) -> None:
    """Verifies hashes, links, payloads and columns; exits with 6 when anything does not hold."""
    results = asyncio.run(_verify(db, tenant, run_ids))
    if output is not OutputFormat.TABLE:
        write_records(map(_verification_json, results), output)
    else:
        write_table(("RUN", "VERDICT", "ENTRIES", "PAYLOADS", "ERASED", "HEAD"), map(_verification_row, results))
        for result in results:
            _write_faults(result)
    raise typer.Exit(ExitCode.OK if all(result.valid for result in results) else ExitCode.VERIFICATION_FAILED)


def _write_faults(result: ChainVerification) -> None:
    for fault in result.faults:
        place = f"entry {fault.sequence} (seq {fault.seq}{f', node {fault.node_id}' if fault.node_id else ''})"
        typer.echo(f"{result.run_id}: {place}: {fault.description}")


async def _entries(db: str | None, tenant: str, run_id: str) -> list[LedgerEntry]:
    async with _reading(db) as storage:
        found: list[LedgerEntry] = []
        while page := await storage.entries(
            tenant, run_id, after_sequence=found[-1].sequence if found else 0, limit=_PAGE
        ):
            found += page
        return found


async def _verify(db: str | None, tenant: str, named: list[str] | None) -> list[ChainVerification]:
    async with _reading(db) as storage:
        run_ids = named or [each async for each in _run_ids(storage, tenant)]
        results = []
        with stderr_console().status("verifying") as status:
            for number, each in enumerate(run_ids, 1):
                status.update(f"verifying run {number} of {len(run_ids)}")
                results.append(await _verify_run(storage, tenant, each))
        return results


async def _verify_run(storage: Storage, tenant: str, run_id: str) -> ChainVerification:
    from meshflow_grpc.ledger.verify import ChainVerifier

    verifier = ChainVerifier(run_id)
    async with storage.raw_chain(tenant, run_id) as chain:
        async for page in chain.pages:
            verifier.add(page)
        return verifier.finish(chain.run)


async def _run_ids(storage: Storage, tenant: str) -> AsyncIterator[str]:
    from meshflow_grpc.ports.storage import RunQuery

    token = ""
    while True:
        page = await storage.list_runs(RunQuery(tenant, _PAGE, token))
        for run in page.runs:
            yield run.run_id
        token = page.next_page_token
        if not token:
            return


@asynccontextmanager
async def _reading(db: str | None) -> AsyncIterator[Storage]:
    from meshflow_grpc.config import load_ledger_settings
    from meshflow_grpc.storage.factory import open_storage

    storage = await open_storage(load_ledger_settings(ledger_db=db).ledger_db, read_only=True, pool_min=1)
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


def _verification_json(result: ChainVerification) -> dict[str, Any]:
    return {
        "run_id": result.run_id,
        "valid": result.valid,
        "entries_checked": result.entries_checked,
        "faults": [
            {"sequence": each.sequence, "seq": each.seq, "node_id": each.node_id, "description": each.description}
            for each in result.faults
        ],
        "ledger_head": {"sequence": result.head_sequence, "hash": result.head_hash},
        "payloads_checked": result.payloads_checked,
        "payloads_erased": result.payloads_erased,
    }


def _verification_row(result: ChainVerification) -> tuple[str, ...]:
    return (
        result.run_id,
        "valid" if result.valid else "TAMPERED",
        str(result.entries_checked),
        str(result.payloads_checked),
        str(result.payloads_erased),
        f"{result.head_sequence}:{result.head_hash[:_SHORT]}",
    )
