"""Results of verifications, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from meshflow_grpc.cli.output import printable

if TYPE_CHECKING:
    from meshflow_grpc.domain.check import ChainVerification, LogVerification, RunDeletion

_SHORT = 12


def run_json(result: ChainVerification) -> dict[str, Any]:
    """A run's verification as JSON."""
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
        "entries_in_log": result.entries_in_log,
        "log_size": result.log_size,
        "deletion": None if result.deletion is None else asdict(result.deletion),
    }


def run_row(result: ChainVerification) -> tuple[str, ...]:
    """A run's verification as a row of a table."""
    return (
        result.run_id,
        "TAMPERED" if not result.valid else "deleted" if result.deletion is not None else "valid",
        str(result.entries_checked),
        str(result.payloads_checked),
        str(result.payloads_erased),
        f"{result.head_sequence}:{result.head_hash[:_SHORT]}",
    )


def write_run_faults(result: ChainVerification) -> None:
    """Writes a line for each fault of a run."""
    for fault in result.faults:
        place = f"entry {fault.sequence} (seq {fault.seq}{f', node {fault.node_id}' if fault.node_id else ''})"
        typer.echo(printable(f"{result.run_id}: {place}: {fault.description}"))


def write_run_deletion(result: ChainVerification) -> None:
    """Writes what the tombstone of a deleted run says."""
    if result.deletion is not None:
        typer.echo(f"{result.run_id}: {_deleted(result.deletion)}")


def _deleted(deletion: RunDeletion) -> str:
    who = f"deleted at {deletion.time} by {deletion.principal_id}, because: {deletion.basis}"
    return printable(f"{deletion.entries} entries {who}")


def log_json(log: LogVerification) -> dict[str, Any]:
    """The log's verification as JSON."""
    return {
        "log": True,
        "valid": log.valid,
        "entries_checked": log.entries_checked,
        "entries_pending": log.pending,
        "head": {"size": log.size, "root": log.root},
        "heads_checked": log.heads_checked,
        "signatures_checked": log.signed,
        "faults": [
            {"seq": each.seq, "run_id": each.run_id, "sequence": each.sequence, "description": each.description}
            for each in log.faults
        ],
        "deletions": [asdict(each) for each in log.deletions],
    }


def write_log(log: LogVerification) -> None:
    """Writes what the log's verification shows, and each of its faults."""
    signed = "signatures verified" if log.signed else "signatures NOT verified: give --trust"
    pending = f", {log.pending} entries not yet under a head" if log.pending else ""
    verdict = "valid" if log.valid else "TAMPERED"
    typer.echo(f"log: {verdict}, {log.size} entries, {log.heads_checked} heads, {signed}{pending}")
    for fault in log.faults:
        where = f"seq {fault.seq}: " if fault.seq else ""
        entry = f"run {fault.run_id}, entry {fault.sequence}: " if fault.run_id else ""
        typer.echo(printable(f"log: {where}{entry}{fault.description}"))
