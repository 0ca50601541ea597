"""``meshflow doctor``: what would keep a server from working here."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.ledger import Output
from meshflow_grpc.cli.output import OutputFormat, write_records, write_table

if TYPE_CHECKING:
    from meshflow_grpc.app.doctor import Finding


def doctor(output: Output = OutputFormat.TABLE) -> None:
    """Checks all that a server needs, and says how to put right what is wrong; exit code 1 when something fails."""
    from meshflow_grpc.app.doctor import State

    findings = asyncio.run(_examined())
    if output is OutputFormat.TABLE:
        rows = [(found.check, found.state.value, found.detail, found.remedy) for found in findings]
        write_table(("CHECK", "STATE", "FOUND", "REMEDY"), rows)
    else:
        write_records(map(asdict, findings), output)
    if any(found.state is State.FAILED for found in findings):
        raise typer.Exit(ExitCode.RUN_FAILED)


async def _examined() -> list[Finding]:
    from meshflow_grpc.app.doctor import examine

    found = []
    async for finding in examine():
        typer.echo(f"{finding.check}: {finding.state.value}", err=True)
        found.append(finding)
    return found
