"""On a terminal the working nodes and what was spent are shown live; the result stays alone on stdout."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from meshflow_grpc.client.messages import RunEvent, RunResponse

if TYPE_CHECKING:
    from tests.unit.client.fake_server import FakeServer


def on_terminal(server: FakeServer, **environment: str) -> tuple[str, str]:
    """Runs ``run create`` with stderr on a pseudo-terminal; returns stdout and what the terminal got."""
    master, slave = os.openpty()
    seen: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(master, 4096):
                seen.append(data)
        except OSError:
            return  # Linux ends a terminal without writers with EIO

    reader = threading.Thread(target=read)
    reader.start()
    command = [sys.executable, "-m", "meshflow_grpc", "run", "create", "a task", "-o", "jsonl"]
    finished = subprocess.run(
        [*command, "--address", server.address],
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    )
    os.close(slave)
    reader.join(10)
    os.close(master)
    return finished.stdout.decode(), b"".join(seen).decode()


def script(server: FakeServer) -> None:
    """A run with one agent and one denial."""
    server.answers("CreateRun", RunResponse(run_id="run_1", status="running"))
    server.answers(
        "WatchRun",
        [
            RunEvent(event_type="node_started", run_id="run_1", node_id="writer"),
            RunEvent(event_type="agent_completed", run_id="run_1", sequence=1, node_id="writer", tokens=1210),
            RunEvent(event_type="policy_violation", run_id="run_1", sequence=2, reason="[red]no[/red] \x1b[2J"),
            RunEvent(event_type="run_completed", run_id="run_1", sequence=3, status="blocked"),
        ],
    )
    server.answers("GetRun", RunResponse(run_id="run_1", status="blocked"))


def test_a_terminal_sees_events_and_totals(server: FakeServer) -> None:
    """Events scroll above a status with the totals; node starts only show in the status."""
    script(server)

    out, terminal = on_terminal(server)

    assert out.count("\n") == 1
    assert "agent_completed   writer         1,210 tokens" in terminal
    assert "1,210 tokens · $0.000000" in terminal
    assert "node_started" not in terminal
    assert server.requests("WatchRun")[0].event_view == "full"


def test_what_a_run_says_neither_colours_nor_clears_the_terminal(server: FakeServer) -> None:
    """Markup and escape sequences in a reason are shown as text."""
    script(server)

    _, terminal = on_terminal(server)

    assert "[red]no[/red] [2J" in terminal
    assert "\x1b[2J" not in terminal


def test_no_color_is_honoured(server: FakeServer) -> None:
    """With NO_COLOR set nothing is coloured."""
    script(server)

    assert "\x1b[31m" in on_terminal(server)[1]
    assert "\x1b[31m" not in on_terminal(server, NO_COLOR="1")[1]
