"""``meshflow ledger verify|head|prove|consistency|keygen|evidence``: the signed log, read from the ledger itself."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.ledger import Db, Output, Tenant, reading
from meshflow_grpc.cli.output import OutputFormat, stderr_console, write_records, write_table
from meshflow_grpc.cli.verification_processes import cores, processes_for, verified_runs
from meshflow_grpc.cli.verification_view import (
    log_json,
    run_json,
    run_row,
    write_log,
    write_run_deletion,
    write_run_faults,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.cli.verification_processes import Owned
    from meshflow_grpc.domain.check import ChainVerification, LogVerification
    from meshflow_grpc.ledger.checkpoint import Checkpoint
    from meshflow_grpc.ledger.note_key import VerifierKey
    from meshflow_grpc.ports.log import StoredHead
    from meshflow_grpc.ports.storage import Storage

Trust = Annotated[
    Path | None,
    typer.Option(help="Public keys you trust, one vkey a line. Default: the development key beside the ledger."),
]
RunId = Annotated[str, typer.Argument(help="The run.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Adds the commands to ``meshflow ledger``."""
    for command in (verify, head, prove, consistency, keygen, evidence):
        app.command()(command)


def verify(
    run_ids: Annotated[
        list[str] | None, typer.Argument(help="The runs; without any, the whole ledger.", show_default=False)
    ] = None,
    db: Db = None,
    tenant: Tenant = "default",
    trust: Trust = None,
    head: Annotated[
        Path | None, typer.Option(help="A signed head kept outside the ledger; shows a rollback. Whole ledger only.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that verify runs. Default: one a core for large ledgers, else one."),
    ] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Verifies hashes, links, payloads, columns and the signed log; exits with 6 when anything does not hold."""
    if run_ids and head is not None:
        raise typer.BadParameter("goes with the whole ledger; name no run", param_hint="--head")
    keys = _trusted(trust, db)
    kept = [_kept(head, keys)] if head is not None else []
    log, results = asyncio.run(_verify(db, [(tenant, each) for each in run_ids or []], keys, kept, jobs))
    if output is not OutputFormat.TABLE:
        write_records([*map(run_json, results), *([log_json(log)] if log is not None else [])], output)
    else:
        write_table(("RUN", "VERDICT", "ENTRIES", "PAYLOADS", "ERASED", "HEAD"), map(run_row, results))
        for result in results:
            write_run_faults(result)
            write_run_deletion(result)
        if log is not None:
            write_log(log)
    valid = all(result.valid for result in results) and (log is None or log.valid)
    raise typer.Exit(ExitCode.OK if valid else ExitCode.VERIFICATION_FAILED)


def head(db: Db = None, output: Output = OutputFormat.TABLE) -> None:
    """Prints the newest signed head, to be kept outside the ledger."""
    newest = asyncio.run(_newest(db))
    if output is OutputFormat.TABLE:
        sys.stdout.write(newest.note)
        return
    told = {"size": newest.size, "root": newest.root.hex(), "time": newest.time, "checkpoint": newest.note}
    write_records([told], output)


def prove(
    run_id: RunId,
    sequence: Annotated[int, typer.Argument(help="Place of the entry in the run, from 1.", show_default=False)],
    db: Db = None,
    tenant: Tenant = "default",
) -> None:
    """Prints the proof that an entry is under the newest signed head, as a C2SP tlog-proof."""
    sys.stdout.write(asyncio.run(_inclusion(db, tenant, run_id, sequence)))


def consistency(
    first: Annotated[int, typer.Argument(help="Size of the earlier head.", show_default=False)],
    db: Db = None,
) -> None:
    """Prints the proof that the newest signed head contains an earlier one, as a C2SP witness takes it."""
    sys.stdout.write(asyncio.run(_consistency(db, first)))


def keygen(
    name: Annotated[str, typer.Argument(help="Name of the key and of its log.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="New file for the secret key.", show_default=False)],
) -> None:
    """Makes a signing key in a new file that its owner alone can read, and prints the public key to give to auditors."""
    import os

    from meshflow_grpc.config.signing import write_key_file
    from meshflow_grpc.ledger.note_key import generate_signing_key

    key = generate_signing_key(name, os.urandom)
    try:
        write_key_file(file, key)
    except FileExistsError as error:
        raise typer.BadParameter(f"{file} exists and is not replaced", param_hint="FILE") from error
    typer.echo(key.verifier.vkey)


def evidence(
    run_ids: Annotated[list[str], typer.Argument(help="The runs.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="File to write the bundle to; it must not exist.")],
    db: Db = None,
    tenant: Tenant = "default",
    trust: Trust = None,
    without_payloads: Annotated[bool, typer.Option("--without-payloads", help="Withholds payloads.")] = False,
    peer: Annotated[
        list[Path] | None,
        typer.Option(help="Bundle of what a peer did for the runs, as it exported it; may be repeated."),
    ] = None,
) -> None:
    """Writes a bundle with all that an auditor needs to verify runs offline (`meshflow audit verify`)."""
    peers = {str(file): file.read_bytes() for file in peer or ()}
    written, missing = asyncio.run(_evidence(db, tenant, run_ids, trust, peers, with_payloads=not without_payloads))
    try:
        with out.open("xb") as file:
            file.write(written)
    except FileExistsError as error:
        raise typer.BadParameter(f"{out} exists and is not replaced", param_hint="--out") from error
    stderr_console().print(f"wrote {out}: {len(written)} bytes", highlight=False)
    for run_id, slug in missing.items():
        left_out = f"left out: what {slug} did in its run {run_id}; have it exported there, and give it with --peer"
        stderr_console().print(left_out, highlight=False)


async def _verify(
    db: str | None, named: Sequence[Owned], keys: tuple[VerifierKey, ...], kept: list[Checkpoint], jobs: int | None
) -> tuple[LogVerification | None, list[ChainVerification]]:
    from meshflow_grpc.commands.verify_log import verify_log

    log, runs, entries = None, named, 0
    with stderr_console().status("verifying") as status:
        if not runs:
            async with reading(db) as storage:
                log, runs = await verify_log(storage, keys, kept)
            entries = log.entries_checked
        results: list[ChainVerification] = []
        processes = min(jobs, len(runs)) if jobs and runs else processes_for(entries, len(runs), cores())
        async for share in verified_runs(db, runs, keys, log, processes):
            results += share
            status.update(f"verified {len(results)} of {len(runs)} runs")
    return log, results


async def _newest(db: str | None) -> StoredHead:
    async with reading(db) as storage:
        return await _newest_of(storage)


async def _newest_of(storage: Storage) -> StoredHead:
    newest = await storage.newest_head()
    if newest is None:
        raise ValueError("the ledger has no signed head yet; start the server on it once")
    return newest


async def _inclusion(db: str | None, tenant: str, run_id: str, sequence: int) -> str:
    from meshflow_grpc.commands.get_inclusion_proof import prove_entry

    async with reading(db) as storage:
        newest = await _newest_of(storage)
        seq = await storage.seq_of(tenant, run_id, sequence)
        if seq > newest.size:
            raise ValueError("no signed head covers this entry yet; the server signs one within a second")
        return (await prove_entry(storage, seq, newest)).proof.text()


async def _consistency(db: str | None, first: int) -> str:
    from meshflow_grpc.commands.get_consistency_proof import prove_growth
    from meshflow_grpc.ledger.proof_text import ConsistencyProof

    async with reading(db) as storage:
        newest = await _newest_of(storage)
        proved = await prove_growth(storage, first, newest.size, newest.size)
        return ConsistencyProof(first, proved.hashes, newest.note).text()


async def _evidence(
    db: str | None,
    tenant: str,
    run_ids: list[str],
    trust: Path | None,
    peers: dict[str, bytes],
    *,
    with_payloads: bool,
) -> tuple[bytes, dict[str, str]]:
    """The bundle, and the runs at peers whose evidence it lacks."""
    from meshflow_grpc.commands.export_evidence import export_evidence
    from meshflow_grpc.commands.peer_evidence import given_evidence, peer_runs
    from meshflow_grpc.engine.run_entries import run_entries
    from meshflow_grpc.system import SystemClock

    keys = _trusted(trust, db)
    async with reading(db) as storage:
        exported = f"by meshflow ledger evidence at {SystemClock().now()}"
        wanted = {
            run_id: slug
            for each in run_ids
            for run_id, slug in peer_runs(await run_entries(storage, tenant, each)).items()
        }
        given = given_evidence(peers, wanted)
        bundle = await export_evidence(
            storage, tenant, run_ids, keys, exported, with_payloads=with_payloads, peers=given
        )
        return bundle, {run_id: slug for run_id, slug in wanted.items() if run_id not in given}


def _trusted(trust: Path | None, db: str | None) -> tuple[VerifierKey, ...]:
    from meshflow_grpc.config import load_ledger_settings
    from meshflow_grpc.config.signing import development_verifiers
    from meshflow_grpc.ledger.note_key import parse_vkeys

    if trust is None:
        settings = load_ledger_settings(ledger_db=db)
        return development_verifiers(settings.ledger_db, settings.data_dir)
    keys = parse_vkeys(trust.read_text(encoding="utf-8"))
    if not keys:
        raise typer.BadParameter(f"{trust} holds no key", param_hint="--trust")
    return keys


def _kept(path: Path, keys: tuple[VerifierKey, ...]) -> Checkpoint:
    from meshflow_grpc.ledger.checkpoint import open_checkpoint

    if not keys:
        raise typer.BadParameter("is needed to verify --head", param_hint="--trust")
    return open_checkpoint(path.read_bytes(), keys).checkpoint
