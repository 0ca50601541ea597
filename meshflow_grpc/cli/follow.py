"""Follows a run to its end, or to the gate where it waits."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from meshflow_grpc.cli.output import OutputFormat, write_record

if TYPE_CHECKING:
    from meshflow_grpc.cli.progress import Progress
    from meshflow_grpc.client import AsyncClient
    from meshflow_grpc.client.messages import RunEvent, RunResponse


class EventWriter:
    """Writes events to stdout: JSON lines, or a line of words each."""

    def __init__(self, output: OutputFormat, event_view: str) -> None:
        self._output = output
        self.event_view = event_view

    def show(self, event: RunEvent) -> None:
        """Writes one event."""
        from meshflow_grpc.cli.progress import event_line
        from meshflow_grpc.client import to_json

        if self._output is not OutputFormat.TABLE:
            write_record(to_json(event), OutputFormat.JSONL)
            return
        sequence = str(event.sequence) if event.HasField("sequence") else "-"
        sys.stdout.write(f"{sequence:>4}  {event_line(event)}\n")
        sys.stdout.flush()


async def follow(client: AsyncClient, run_id: str, display: Progress | EventWriter, *, after: int = 0) -> RunResponse:
    """Shows a run's events until it has ended or waits for a human; returns it as it stands then."""
    async for event in client.watch_run(run_id, after_sequence=after, event_view=display.event_view):
        display.show(event)
        if event.event_type == "gate_paused":
            # Other branches may still be at work; the run itself says whether it waits.
            run = await client.get_run(run_id)
            if run.status == "paused":
                return run
    return await client.get_run(run_id)


async def follow_or_cancel(client: AsyncClient, run_id: str, display: Progress | EventWriter) -> RunResponse:
    """Follows a run; an interrupt (Ctrl-C) cancels it and waits until it has ended."""
    try:
        return await follow(client, run_id, display)
    except asyncio.CancelledError:
        sys.stderr.write(f"interrupted; cancelling {run_id}\n")
        return await client.cancel_run(run_id, reason="interrupted at the terminal")
