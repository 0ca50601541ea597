"""``meshflow compliance``: what a ledger shows of a run under a compliance profile, with or without a server running."""

from __future__ import annotations

import asyncio
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshflow_grpc.cli.compliance_view import report_html, report_json, write_report
from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.ledger import Db, Tenant, reading

if TYPE_CHECKING:
    from meshflow_grpc.commands.compliance_report import ComplianceReport
    from meshflow_grpc.ledger.note_key import VerifierKey

app = typer.Typer(help="Judge runs by the controls of compliance profiles.", no_args_is_help=True)


class Profile(StrEnum):
    """The profiles there are."""

    GDPR = "gdpr"
    HIPAA = "hipaa"
    SOX = "sox"


class ReportFormat(StrEnum):
    """How a report is written to stdout."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


@app.callback()
def group() -> None:
    """Judge runs by the controls of compliance profiles."""


@app.command()
def report(
    run_id: Annotated[str, typer.Argument(help="The run.", show_default=False)],
    profile: Annotated[
        list[Profile] | None, typer.Option(help="A profile. Default: those of the run's policy.")
    ] = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="How to print.")] = ReportFormat.TABLE,
    db: Db = None,
    tenant: Tenant = "default",
    trust: Annotated[Path | None, typer.Option(help="Public keys you trust, one vkey a line.")] = None,
) -> None:
    """Verifies a run's chain and judges each control; exits with 6 when the chain does not verify, 1 when a control fails."""
    found = asyncio.run(_report(db, tenant, run_id, tuple(profile or ()), trust))
    if form is ReportFormat.TABLE:
        write_report(found)
    elif form is ReportFormat.JSON:
        sys.stdout.write(json.dumps(report_json(found), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(report_html(found))
    if not found.chain.valid:
        raise typer.Exit(ExitCode.VERIFICATION_FAILED)
    raise typer.Exit(ExitCode.RUN_FAILED if found.failed else ExitCode.OK)


async def _report(
    db: str | None, tenant: str, run_id: str, profiles: tuple[str, ...], trust: Path | None
) -> ComplianceReport:
    from meshflow_grpc.commands.compliance_report import compliance_report
    from meshflow_grpc.system import SystemClock

    keys = _trusted(trust, db)
    async with reading(db) as storage:
        return await compliance_report(storage, tenant, run_id, profiles, keys, now=SystemClock().now())


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
