"""``meshflow run``: starts, follows and inspects runs on a server."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from meshflow_grpc.cli.arguments import (
    Digest,
    Input,
    Labels,
    Policy,
    Session,
    Set,
    Task,
    Webhook,
    Workflow,
    WorkflowFile,
    run_options,
    task_text,
)
from meshflow_grpc.cli.client_command import client_command
from meshflow_grpc.cli.exit_codes import ExitCode, of_status
from meshflow_grpc.cli.follow import EventWriter, follow, follow_or_cancel
from meshflow_grpc.cli.output import OutputFormat
from meshflow_grpc.cli.progress import progress_display
from meshflow_grpc.cli.run_view import write_check, write_run, write_runs

if TYPE_CHECKING:
    from meshflow_grpc.client import AsyncClient

app = typer.Typer(help="Start, follow and inspect runs on a server.", no_args_is_help=True)

_PAGE = 1000
RunId = Annotated[str, typer.Argument(help="The run.", show_default=False)]


class View(StrEnum):
    """Which events are shown."""

    BASIC = "basic"
    FULL = "full"


@client_command(app, "create")
async def create(
    client: AsyncClient,
    output: OutputFormat,
    task: Task = None,
    input_json: Input = None,
    policy_json: Policy = None,
    settings: Set = None,
    workflow: Workflow = None,
    workflow_file: WorkflowFile = None,
    session: Session = None,
    labels: Labels = None,
    digest: Digest = None,
    request_id: Annotated[str | None, typer.Option(help="Idempotency key: repeating it returns the same run.")] = None,
    webhook: Webhook = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; the run goes on.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Write the events to stdout instead of the result.")] = False,
) -> ExitCode:
    """Starts a run and follows it to its end; Ctrl-C cancels it."""
    if detach and watch:
        raise ValueError("--detach and --watch exclude each other; watch a detached run with `meshflow run watch`")
    options = run_options(
        input_json=input_json,
        policy_json=policy_json,
        settings=settings,
        workflow=workflow,
        workflow_file=workflow_file,
        session=session,
        labels=labels,
        digest=digest,
        request_id=request_id,
        webhook=webhook,
    )
    run = await client.create_run(task_text(task), **options)
    if detach:
        write_run(run, output)
        return ExitCode.OK
    if watch:
        return of_status((await follow_or_cancel(client, run.run_id, EventWriter(output, View.BASIC))).status)
    with progress_display() as display:
        run = await follow_or_cancel(client, run.run_id, display)
    write_run(run, output)
    return of_status(run.status)


@client_command(app, "check")
async def check(
    client: AsyncClient,
    output: OutputFormat,
    task: Task = None,
    input_json: Input = None,
    policy_json: Policy = None,
    settings: Set = None,
    workflow: Workflow = None,
    workflow_file: WorkflowFile = None,
    digest: Digest = None,
) -> ExitCode:
    """Says what a run would be held to, what it may cost and what it violates; nothing is executed."""
    options = run_options(
        input_json=input_json,
        policy_json=policy_json,
        settings=settings,
        workflow=workflow,
        workflow_file=workflow_file,
        digest=digest,
    )
    checked = await client.check_run(task_text(task), **options)
    write_check(checked, output)
    return ExitCode.OK if checked.admissible else ExitCode.POLICY_REJECTED


@client_command(app, "get")
async def get(client: AsyncClient, output: OutputFormat, run_id: RunId) -> ExitCode:
    """Shows a run as it stands."""
    write_run(await client.get_run(run_id), output)
    return ExitCode.OK


@client_command(app, "list")
async def list_runs(
    client: AsyncClient,
    output: OutputFormat,
    status: Annotated[str, typer.Option(help="Only runs with this status.")] = "",
    workflow: Annotated[str, typer.Option(help="Only runs of this workflow.")] = "",
    session: Annotated[str, typer.Option(help="Only runs of this session.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most runs to show, newest first.")] = 50,
) -> ExitCode:
    """Lists runs, newest first."""
    size = min(limit, _PAGE)
    page = await client.list_runs(page_size=size, status=status, workflow=workflow, session_id=session)
    runs = list(page.runs)
    while page.next_page_token and len(runs) < limit:
        page = await client.list_runs(
            page_size=size, page_token=page.next_page_token, status=status, workflow=workflow, session_id=session
        )
        runs += page.runs
    write_runs(runs[:limit], output)
    if page.next_page_token or len(runs) > limit:
        sys.stderr.write(f"the first {limit} runs; see more with --limit\n")
    return ExitCode.OK


@client_command(app, "watch")
async def watch(
    client: AsyncClient,
    output: OutputFormat,
    run_id: RunId,
    after: Annotated[int, typer.Option(min=0, help="Only events after this sequence.")] = 0,
    view: Annotated[View, typer.Option(help="Which events to show.")] = View.BASIC,
) -> ExitCode:
    """Writes a run's events to stdout until it ends or waits for a human; survives broken connections."""
    await client.get_run(run_id)  # a watch would wait long for a server that never was there
    return of_status((await follow(client, run_id, EventWriter(output, view), after=after)).status)


@client_command(app, "wait")
async def wait(
    client: AsyncClient,
    output: OutputFormat,
    run_id: RunId,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.001, max=3600, help="Longest wait, in seconds.")] = 60,
) -> ExitCode:
    """Waits until a run ends or waits for a human, and shows it."""
    run = await client.wait_run(run_id, timeout_s=timeout_s)
    write_run(run, output)
    if run.status == "running":
        sys.stderr.write(f"still running after {timeout_s:g} s\n")
    return of_status(run.status)


@client_command(app, "cancel")
async def cancel(
    client: AsyncClient,
    output: OutputFormat,
    run_id: RunId,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")] = "",
) -> ExitCode:
    """Cancels a run and returns when it has ended; one that had ended before stays as it was."""
    write_run(await client.cancel_run(run_id, reason=reason), output)
    return ExitCode.OK
