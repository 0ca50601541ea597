"""``meshflow mesh``: the nodes that a server knows, how they do, and what happens to them."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from meshflow_grpc.cli.client_command import client_command
from meshflow_grpc.cli.exit_codes import ExitCode
from meshflow_grpc.cli.mesh_view import HEADINGS, MeshTop, change_line, node_row
from meshflow_grpc.cli.output import OutputFormat, write_record, write_records, write_table

if TYPE_CHECKING:
    from meshflow_grpc.client import AsyncClient

app = typer.Typer(help="See the nodes of the mesh that a server belongs to.", no_args_is_help=True)


@client_command(app, "status")
async def status(client: AsyncClient, output: OutputFormat) -> ExitCode:
    """Prints every node: whether it lives, how it answers checks, its breaker, and how calls to it went."""
    from meshflow_grpc.client import to_json

    nodes = (await client.list_nodes()).nodes
    if output is OutputFormat.TABLE:
        write_table(HEADINGS, map(node_row, nodes))
    else:
        write_records(map(to_json, nodes), output)
    return ExitCode.OK


@client_command(app, "watch")
async def watch(
    client: AsyncClient,
    output: OutputFormat,
    after: Annotated[int, typer.Option(min=0, help="Only changes with a higher number.")] = 0,
    limit: Annotated[int, typer.Option(min=0, help="End after so many changes; 0: never.")] = 0,
) -> ExitCode:
    """Prints what happened in the mesh, then what happens, a line each, until Ctrl-C."""
    from meshflow_grpc.client import to_json

    left = limit
    async for change in client.watch_mesh(after_sequence=after):
        if output is OutputFormat.TABLE:
            sys.stdout.write(change_line(change) + "\n")
            sys.stdout.flush()
        else:
            write_record(to_json(change), OutputFormat.JSONL)
        left -= 1
        if left == 0:
            break
    return ExitCode.OK


@client_command(app, "top")
async def top(
    client: AsyncClient,
    output: OutputFormat,
    interval: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between two looks.")] = 1.0,
    count: Annotated[int, typer.Option(min=0, help="End after so many looks; 0: on Ctrl-C.")] = 0,
) -> ExitCode:
    """Shows all nodes and the latest changes, live on a terminal; in a pipe one table, or JSON line, after the other."""
    from meshflow_grpc.client import to_json

    view = MeshTop(interval)
    following = asyncio.create_task(_follow(client, view))
    looks = 0
    try:
        with view:
            while True:
                nodes = (await client.list_nodes()).nodes
                if output is OutputFormat.TABLE:
                    view.show(nodes)
                else:
                    write_record({"nodes": [to_json(node) for node in nodes]}, OutputFormat.JSONL)
                looks += 1
                if looks == count:
                    return ExitCode.OK
                await asyncio.sleep(interval)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _follow(client: AsyncClient, view: MeshTop) -> None:
    """Gathers changes; when the connection breaks the looks fail too, and say so."""
    from meshflow_grpc.client import MeshflowCallError

    with suppress(MeshflowCallError):
        async for change in client.watch_mesh():
            view.changes.append(change)
