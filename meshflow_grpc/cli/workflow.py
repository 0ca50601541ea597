"""``meshflow workflow``: definitions in files, checked and drawn without a server, and those registered at one."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshflow_grpc.cli.client_command import client_command
from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.output import OutputFormat, write_fields, write_record, write_records, write_table

if TYPE_CHECKING:
    from meshflow_grpc.client import AsyncClient
    from meshflow_grpc.client.messages import Workflow as RegisteredWorkflow
    from meshflow_grpc.domain.workflow import Workflow

app = typer.Typer(help="Make, check, draw and register workflow definitions.", no_args_is_help=True)

START_FROM = "production_pipeline"
_PAGE = 1000
File = Annotated[Path, typer.Argument(help="A workflow definition in YAML.")]


class Drawing(StrEnum):
    """Languages of pictures."""

    MERMAID = "mermaid"
    DOT = "dot"


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="The file to make.")] = Path("workflow.yaml"),
    template: Annotated[str, typer.Option("--from", help="The packaged workflow to start from.")] = START_FROM,
) -> None:
    """Writes a packaged workflow to a file to change; a file that is there is left alone."""
    from meshflow_grpc.workflow.catalog import packaged_workflow
    from meshflow_grpc.workflow.yaml_codec import dump_workflow

    text = dump_workflow(packaged_workflow(template))
    try:
        with file.open("x", encoding="utf-8") as made:
            made.write(text)
    except OSError as error:
        raise _unusable(file, "write", error) from error
    typer.echo(f"{file}: made from {template}")


@app.command()
def validate(
    file: File,
    output: Annotated[OutputFormat, typer.Option("--output", "-o", help="How to print.")] = OutputFormat.TABLE,
) -> None:
    """Checks a definition; every problem is told as file:line:column with the nearest known name. Exit code 2 when there is one."""
    from meshflow_grpc.workflow.digest import workflow_digest

    workflow = _load(file)
    digest = workflow_digest(workflow)
    if output is OutputFormat.TABLE:
        typer.echo(
            f"{file}: {workflow.name} is valid: {len(workflow.nodes)} nodes, {len(workflow.edges)} edges, {digest}"
        )
    else:
        counts = {"nodes": len(workflow.nodes), "edges": len(workflow.edges)}
        write_record({"name": workflow.name, "version": workflow.version, **counts, "digest": digest}, output)


@app.command()
def graph(
    file: File,
    language: Annotated[Drawing, typer.Option("--format", "-f", help="The picture's language.")] = Drawing.MERMAID,
) -> None:
    """Draws a definition as Mermaid or Graphviz DOT text."""
    from meshflow_grpc.workflow.graph_render import to_dot, to_mermaid

    draw = to_dot if language is Drawing.DOT else to_mermaid
    sys.stdout.write(draw(_load(file)))


@app.command()
def schema() -> None:
    """Prints the JSON Schema of a definition, for editors and validators."""
    from meshflow_grpc.workflow.schema import workflow_schema

    write_record(workflow_schema(), OutputFormat.JSON)


@client_command(app, "put")
async def put(client: AsyncClient, output: OutputFormat, file: File) -> ExitCode:
    """Registers a definition at the server, under its name and version; a registered version never changes."""
    import asyncio

    _load(file)
    _write(await client.put_workflow(await asyncio.to_thread(_text, file)), output)
    return ExitCode.OK


@client_command(app, "list")
async def list_workflows(
    client: AsyncClient,
    output: OutputFormat,
    name: Annotated[str, typer.Option(help="All versions of this workflow, newest first.")] = "",
) -> ExitCode:
    """Lists the newest version of each workflow that runs can name."""
    from meshflow_grpc.client import to_json

    page = await client.list_workflows(page_size=_PAGE, name=name)
    found = list(page.workflows)
    while page.next_page_token:
        page = await client.list_workflows(page_size=_PAGE, page_token=page.next_page_token, name=name)
        found.extend(page.workflows)
    if output is not OutputFormat.TABLE:
        write_records((to_json(workflow) for workflow in found), output)
        return ExitCode.OK
    rows = ((w.name, w.version, w.digest[:12], w.principal or "packaged", w.description) for w in found)
    write_table(("WORKFLOW", "VERSION", "DIGEST", "BY", "DESCRIPTION"), rows)
    return ExitCode.OK


@client_command(app, "get")
async def get(
    client: AsyncClient,
    output: OutputFormat,
    name: Annotated[str, typer.Argument(help="NAME, or NAME@VERSION.", show_default=False)],
) -> ExitCode:
    """Prints a registered definition as it was sent."""
    found = await client.get_workflow(name)
    if output is OutputFormat.TABLE:
        sys.stdout.write(found.yaml)
    else:
        _write(found, output)
    return ExitCode.OK


@client_command(app, "approve")
async def approve(
    client: AsyncClient,
    output: OutputFormat,
    name: Annotated[str, typer.Argument(help="NAME, or NAME@VERSION.", show_default=False)],
    comment: Annotated[str, typer.Option(help="Why; kept with the approval.")] = "",
    digest: Annotated[
        str | None, typer.Option("--digest", help="Approve only if the workflow has this digest.")
    ] = None,
) -> ExitCode:
    """Approves what another person registered, under the policy that the server holds its runs to; profile sox asks for it."""
    from meshflow_grpc.client import to_json

    found = await client.approve_workflow(name, expected_digest=digest, comment=comment)
    if output is not OutputFormat.TABLE:
        write_record(to_json(found), output)
        return ExitCode.OK
    shown = ("name", "version", "digest", "policy_digest", "approver")
    write_fields((*((field, getattr(found, field)) for field in shown), ("authors", ", ".join(found.authors))))
    return ExitCode.OK


def _write(workflow: RegisteredWorkflow, output: OutputFormat) -> None:
    from meshflow_grpc.client import to_json

    if output is not OutputFormat.TABLE:
        write_record(to_json(workflow), output)
        return
    write_fields((("workflow", workflow.name), ("version", workflow.version), ("digest", workflow.digest)))


def _load(file: Path) -> Workflow:
    from meshflow_grpc.workflow.yaml_codec import load_workflow

    return load_workflow(_text(file), source=str(file))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(file, "read", error) from error


def _unusable(file: Path, verb: str, error: Exception) -> Exception:
    from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError

    why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
    return InvalidRequestError.of(FieldViolation("FILE", f"cannot {verb} {file}: {why}"))
