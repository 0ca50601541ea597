"""Ctrl-C during ``run create`` cancels the run and waits until it has ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from meshflow_grpc.client.messages import RunEvent, RunResponse
from tests.unit.client.fake_server import Hang

if TYPE_CHECKING:
    from tests.unit.client.fake_server import FakeServer


def interrupt_when_watching(server: FakeServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command and sends it SIGINT as soon as it shows the first event."""
    server.answers("CreateRun", RunResponse(run_id="run_1", status="running"))
    server.answers("WatchRun", [RunEvent(event_type="run_started", run_id="run_1", sequence=1), Hang()])
    server.answers("CancelRun", RunResponse(run_id="run_1", status="cancelled"))
    command = [sys.executable, "-m", "meshflow_grpc", "run", *arguments, "-o", "jsonl", "--address", server.address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    killer = threading.Timer(20, process.kill)
    killer.start()
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate()
    killer.cancel()
    return subprocess.CompletedProcess(command, process.returncode, first + rest)


def test_create_cancels_its_run(server: FakeServer) -> None:
    """The cancellation is confirmed by the server, and the cancelled run is printed."""
    finished = interrupt_when_watching(server, "create", "a task")

    assert finished.returncode == 1
    assert [request.run_id for request in server.requests("CancelRun")] == ["run_1"]
    assert "interrupted; cancelling run_1" in finished.stdout
    assert '"status": "cancelled"' in finished.stdout


def test_watch_leaves_the_run_alone(server: FakeServer) -> None:
    """Ctrl-C during a watch ends the watch only."""
    server.answers("GetRun", RunResponse(run_id="run_1", status="running"))
    finished = interrupt_when_watching(server, "watch", "run_1")

    assert finished.returncode == 130
    assert server.requests("CancelRun") == []
    assert "Traceback" not in finished.stdout
