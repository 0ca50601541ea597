"""``meshflow conformance``: tells whether a runtime keeps its promises."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.output import OutputFormat, stderr_console, write_records, write_table

if TYPE_CHECKING:
    from meshflow_grpc.conformance.runner import Result


class Kind(StrEnum):
    """The face to ask through."""

    PYTHON = "python"
    GRPC = "grpc"
    REST = "rest"


def conformance(
    kind: Annotated[Kind, typer.Argument(help="python: this installation, in process; grpc, rest: a running server.")],
    level: Annotated[int, typer.Option(min=0, max=5, help="Highest level to test; includes those below.")] = 5,
    target: Annotated[
        str | None, typer.Option(envvar="MESHFLOW_ADDRESS", help="Server of grpc and rest; default 127.0.0.1:8765.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="MESHFLOW_TOKEN", help="Bearer token.", show_default=False)
    ] = None,
    output: Annotated[OutputFormat, typer.Option("--output", "-o", help="How to print.")] = OutputFormat.TABLE,
) -> None:
    """Tests a runtime against the promises of levels 0 to N; exits with 1 when one is not kept."""
    found = asyncio.run(_run(kind, target or "127.0.0.1:8765", token, level))
    if output is OutputFormat.TABLE:
        rows = ((str(r.level), r.scenario, "pass" if r.passed else "FAIL", r.problem) for r in found)
        write_table(("LEVEL", "SCENARIO", "RESULT", "PROBLEM"), rows)
    else:
        write_records([asdict(result) for result in found], output)
    raise typer.Exit(ExitCode.OK if all(result.passed for result in found) else ExitCode.RUN_FAILED)


async def _run(kind: Kind, target: str, token: str | None, level: int) -> list[Result]:
    from meshflow_grpc.conformance.faces import open_face
    from meshflow_grpc.conformance.runner import results
    from meshflow_grpc.telemetry.logging import configure_logging

    configure_logging("error", "console")
    console, found = stderr_console(), []
    async with open_face(kind.value, target, token) as face:
        async for result in results(face, level):
            console.print(f"level {result.level} {result.scenario}: {'pass' if result.passed else 'FAIL'}")
            found.append(result)
    return found
