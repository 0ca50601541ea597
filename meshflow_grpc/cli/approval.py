"""``meshflow approval``: what waits for a human, and the decisions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from meshflow_grpc.cli.client_command import client_command
from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.output import OutputFormat, printable, write_fields, write_record, write_records, write_table

if TYPE_CHECKING:
    from meshflow_grpc.client import AsyncClient
    from meshflow_grpc.client.messages import Approval

app = typer.Typer(help="List and decide the steps that wait for a human.", no_args_is_help=True)

_PAGE = 1000
ApprovalId = Annotated[str, typer.Argument(help="The approval.", show_default=False)]
Comment = Annotated[str, typer.Option(help="Why; kept in the ledger.")]
Digest = Annotated[str | None, typer.Option("--digest", help="Decide only if the action has this digest.")]


@client_command(app, "list")
async def list_approvals(
    client: AsyncClient,
    output: OutputFormat,
    run: Annotated[str, typer.Option(help="All approvals of this run, decided ones too.")] = "",
) -> ExitCode:
    """Lists the approvals that are pending."""
    from meshflow_grpc.client import to_json

    page = await client.list_approvals(page_size=_PAGE, run_id=run)
    found = list(page.approvals)
    while page.next_page_token:
        page = await client.list_approvals(page_size=_PAGE, page_token=page.next_page_token, run_id=run)
        found.extend(page.approvals)
    if output is not OutputFormat.TABLE:
        write_records((to_json(approval) for approval in found), output)
        return ExitCode.OK
    write_table(
        ("APPROVAL", "STATUS", "NODE", "RISK", "EXPIRES", "REASON"),
        ((a.approval_id, a.status, a.node_id, a.risk, a.expire_time.ToJsonString(), a.reason) for a in found),
    )
    return ExitCode.OK


@client_command(app, "show")
async def show(client: AsyncClient, output: OutputFormat, approval_id: ApprovalId) -> ExitCode:
    """Shows an approval and what the step would be given."""
    _write(await client.get_approval(approval_id), output)
    return ExitCode.OK


@client_command(app, "approve")
async def approve(
    client: AsyncClient,
    output: OutputFormat,
    approval_id: ApprovalId,
    comment: Comment = "",
    digest: Digest = None,
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="In an emergency, although you may not; say why in --comment.")
    ] = False,
) -> ExitCode:
    """Approves: the step is executed once, with exactly what was shown."""
    decided = client.decide_approval(
        approval_id, "approve", comment=comment, expected_action_digest=digest, break_glass=break_glass
    )
    _write(await decided, output)
    return ExitCode.OK


@client_command(app, "confirm")
async def confirm(
    client: AsyncClient, output: OutputFormat, approval_id: ApprovalId, comment: Comment = ""
) -> ExitCode:
    """Reviews what another person approved in an emergency: it was right."""
    _write(await client.decide_approval(approval_id, "confirm", comment=comment), output)
    return ExitCode.OK


@client_command(app, "dispute")
async def dispute(
    client: AsyncClient, output: OutputFormat, approval_id: ApprovalId, comment: Comment = ""
) -> ExitCode:
    """Reviews what another person approved in an emergency: it was not right."""
    _write(await client.decide_approval(approval_id, "dispute", comment=comment), output)
    return ExitCode.OK


@client_command(app, "reject")
async def reject(
    client: AsyncClient, output: OutputFormat, approval_id: ApprovalId, comment: Comment = "", digest: Digest = None
) -> ExitCode:
    """Rejects: the run ends as rejected."""
    _write(await client.decide_approval(approval_id, "reject", comment=comment, expected_action_digest=digest), output)
    return ExitCode.OK


def _write(approval: Approval, output: OutputFormat) -> None:
    from meshflow_grpc.client import to_json

    if output is not OutputFormat.TABLE:
        write_record(to_json(approval), output)
        return
    write_fields(
        (
            ("approval", approval.approval_id),
            ("status", approval.status),
            ("run", approval.run_id),
            ("step", approval.step_id),
            ("risk", approval.risk),
            ("reason", approval.reason),
            ("digest", approval.action_digest),
            ("requester", approval.requester),
            ("reviewer", approval.reviewer),
            ("comment", approval.comment),
            *(
                (("emergency", "reviewed" if approval.review_run_id else "not reviewed"),)
                if approval.break_glass
                else ()
            ),
            ("expires", approval.expire_time.ToJsonString()),
        )
    )
    if approval.input:
        sys.stdout.write(f"\n{printable(approval.input)}\n")
