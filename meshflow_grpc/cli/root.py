"""The command tree."""

from __future__ import annotations

from typing import Annotated

import typer

from meshflow_grpc import __version__
from meshflow_grpc.cli import (
    approval,
    audit,
    compliance,
    config,
    conformance,
    db,
    doctor,
    key,
    ledger,
    ledger_gc,
    ledger_keys,
    ledger_log,
    ledger_runs,
    mesh,
    run,
    serve,
    workflow,
)

app = typer.Typer(
    help="Governed runtime for AI agents: every step checked, budgeted, approved and written to a verifiable ledger.",
    epilog="Exit codes: 0 ok · 1 run failed, blocked or rejected · 2 usage · 3 policy rejected · "
    "4 approval pending · 5 unavailable · 6 verification failed or unknown run",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve.serve)
app.add_typer(run.app, name="run")
app.add_typer(approval.app, name="approval")
ledger_log.register(ledger.app)
ledger_runs.register(ledger.app)
ledger_gc.register(ledger.app)
ledger_keys.register(ledger.app)
app.add_typer(ledger.app, name="ledger")
app.add_typer(audit.app, name="audit")
app.add_typer(compliance.app, name="compliance")
app.add_typer(config.app, name="config")
app.add_typer(key.app, name="key")
app.add_typer(workflow.app, name="workflow")
app.add_typer(mesh.app, name="mesh")
app.command()(conformance.conformance)
app.add_typer(db.app, name="db")
app.command()(doctor.doctor)


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=lambda on: _version(on=on))] = False,
) -> None:
    """Governed runtime for AI agents: every step checked, budgeted, approved and written to a verifiable ledger."""


def _version(*, on: bool) -> None:
    if on:
        typer.echo(f"meshflow {__version__}")
        raise typer.Exit
