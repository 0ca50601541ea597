"""``meshflow audit``: verifies evidence offline, with code that shares nothing with what wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshflow_grpc.cli.exit_codes import ExitCode

app = typer.Typer(help="Verify evidence offline, without the service.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Verify evidence offline, without the service."""


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle.", show_default=False)],
    trust: Annotated[Path, typer.Option(help="Public keys you trust, one vkey a line, not from the bundle.")],
    head: Annotated[Path | None, typer.Option(help="A signed checkpoint you kept from earlier.")] = None,
    run: Annotated[list[str] | None, typer.Option(help="A run that must be in the bundle.")] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="How to print: text or json.")] = "text",
) -> None:
    """Verifies a bundle, and prints what it proves and what it does not; exits with 6 when anything does not hold."""
    from meshflow_grpc.audit.command import main

    if output not in {"text", "json"}:
        raise typer.BadParameter("must be text or json", param_hint="--output")
    arguments = [str(bundle), "--trust", str(trust), "-o", output]
    arguments += ["--head", str(head)] if head is not None else []
    arguments += [word for each in run or [] for word in ("--run", each)]
    raise typer.Exit(ExitCode(main(arguments)))
