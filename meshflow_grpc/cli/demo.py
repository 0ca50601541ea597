"""The demonstration behind ``make run``: one server, one task over REST, SSE and gRPC, and the ledger that proves it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

from meshflow_grpc.cli.output import printable, stdout_console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    import httpx

TASK = "Summarize the state of AI governance in three sentences."
HOST = "127.0.0.1"
DEFAULT_PORT = 8765
READY_TIMEOUT_S = 30.0
REQUEST_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 40.0
_LOG_TAIL_LINES = 12
_OUTPUT_CHARS = 72


class DemoError(Exception):
    """The demonstration cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server that was started: its process, where it answers, its ledger and its log."""

    process: subprocess.Popen[bytes]
    url: str
    ledger: str
    log: Path

    def tail(self) -> str:
        """Returns the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])


def main() -> None:
    """Runs the demonstration; ends with 0, or with 1 and a message when anything went wrong."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop the server at the end instead of leaving it running")
    once: bool = parser.parse_args().once
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _server(_free_port(any_will_do=once)) as server:
            _demonstrate(server)
            if not once:
                _leave_running(server)
    except DemoError as error:
        sys.stderr.write(f"make run failed: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _interrupt(_signal: int, _frame: FrameType | None) -> Never:
    raise KeyboardInterrupt


@contextmanager
def _server(port: int) -> Iterator[Server]:
    """Starts ``meshflow serve`` and waits until it is ready; stops it in the end."""
    data = Path(os.environ.get("MESHFLOW_DATA_DIR") or "data")
    data.mkdir(parents=True, exist_ok=True)
    ledger = os.environ.get("MESHFLOW_LEDGER_DB") or str(data / "meshflow_runs.db")
    environment = {
        **os.environ,
        "MESHFLOW_DATA_DIR": str(data),
        "MESHFLOW_LEDGER_DB": ledger,
        "MESHFLOW_USE_ENVOY": "1",
    }
    mock = not (os.environ.get("ANTHROPIC_API_KEY") or os.environ.get("ANTHROPIC_API_KEY_FILE"))
    if mock:
        environment["MESHFLOW_MOCK"] = "1"
    log = data / "demo-server.log"
    command = [sys.executable, "-m", "meshflow_grpc", "serve", "--host", HOST, "--port", str(port)]
    _title(
        f"meshflow serve --port {port}", "offline model (MESHFLOW_MOCK=1)" if mock else "paid model (ANTHROPIC_API_KEY)"
    )
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)  # noqa: S603
    server = Server(process, f"http://{HOST}:{port}", ledger, log)
    try:
        _await_ready(server)
        yield server
    except BaseException:
        with suppress(DemoError):  # what went wrong first is what counts
            _stop(server)
        raise
    _stop(server)


def _demonstrate(server: Server) -> None:
    run_ids = [_over_rest(server), _over_sse(server), _over_grpc(server)]
    _title("The ledger", f"every transition of the three runs, chained by hash, in {server.ledger}")
    _meshflow(server, "ledger", "verify", *run_ids)
    _say("")
    _meshflow(server, "ledger", "show", run_ids[0])
    _title("Try it yourself")
    body = json.dumps({"task": "Research AI governance trends"})
    for line in (
        f"curl -s {server.url}/health",
        f"curl -s -X POST {server.url}/run -H 'Content-Type: application/json' -d '{body}'",
        f"curl -s -N -X POST {server.url}/stream -H 'Content-Type: application/json' -d '{body}'",
        f".venv/bin/meshflow run create 'Research AI governance trends' --address {server.url}",
        f".venv/bin/meshflow ledger verify --db {server.ledger}",
    ):
        _say(f"  {line}")


def _over_rest(server: Server) -> str:
    _title("REST", "POST /run")
    run = _post_run(server)
    _say(
        f"  {run['status']} · {run['total_tokens']} tokens · ${run['total_cost_usd']:.6f} · {run['ledger_entries']} entries"
    )
    _say(f"  {_short(run['output'])}")
    return _completed(run["run_id"], run["status"])


def _post_run(server: Server) -> dict[str, Any]:
    import httpx

    try:
        with _http() as http:
            response = http.post(f"{server.url}/run", json={"task": TASK})
    except httpx.HTTPError as error:
        raise DemoError(f"POST /run: {error}\n{server.tail()}") from error
    if response.status_code != httpx.codes.OK:
        raise DemoError(f"POST /run answered {response.status_code}: {response.text}")
    run: dict[str, Any] = response.json()
    return run


def _over_sse(server: Server) -> str:
    import httpx

    _title("Server-Sent Events", "POST /stream")
    event: dict[str, Any] = {}
    try:
        with _http() as http, http.stream("POST", f"{server.url}/stream", json={"task": TASK}) as response:
            if response.status_code != httpx.codes.OK:
                raise DemoError(f"POST /stream answered {response.status_code}: {response.read().decode()}")
            for line in response.iter_lines():
                if line.startswith("data:"):
                    event = json.loads(line.removeprefix("data:"))
                    _say(f"  {_event_text(event)}")
    except httpx.HTTPError as error:
        raise DemoError(f"POST /stream: {error}\n{server.tail()}") from error
    return _completed(event.get("run_id", "?"), event.get("status", "cut off"))


def _over_grpc(server: Server) -> str:
    from meshflow_grpc.client import Client, MeshflowCallError, to_json

    _title("gRPC", "RunService.StreamRun, on the same port")
    event: dict[str, Any] = {}
    try:
        with Client(server.url) as client:
            for message in client.stream_run(TASK, timeout_s=REQUEST_TIMEOUT_S):
                event = to_json(message)
                _say(f"  {_event_text(event)}")
    except MeshflowCallError as error:
        raise DemoError(f"gRPC: {error}\n{server.tail()}") from error
    return _completed(event.get("run_id", "?"), event.get("status", "cut off"))


def _completed(run_id: str, status: str) -> str:
    if status != "completed":
        raise DemoError(f"run {run_id} should be completed but is {status}")
    return run_id


def _event_text(event: dict[str, Any]) -> str:
    figures = (
        event.get("agent_id") or event.get("run_id", ""),
        f"{event['tokens']} tokens" if "tokens" in event else "",
        f"${event['cost_usd']:.6f}" if "cost_usd" in event else "",
        event.get("status", ""),
        _short(event.get("output", "")),
    )
    return f"{event['event_type']:<16} {' · '.join(figure for figure in figures if figure)}"


def _meshflow(server: Server, *arguments: str) -> None:
    """Runs a command of the command line, as a user would, and fails when it does."""
    _say(f"  $ meshflow {arguments[0]} {arguments[1]}")
    command = [sys.executable, "-m", "meshflow_grpc", *arguments, "--db", server.ledger]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=REQUEST_TIMEOUT_S, check=False)  # noqa: S603
    for line in finished.stdout.splitlines():
        _say(f"  {line.rstrip()}")
    if finished.returncode != 0:
        raise DemoError(f"meshflow {arguments[0]} {arguments[1]} ended with {finished.returncode}\n{finished.stderr}")


def _await_ready(server: Server) -> None:
    import httpx

    started = time.monotonic()
    with _http(timeout_s=1.0) as client:
        while time.monotonic() - started < READY_TIMEOUT_S:
            if server.process.poll() is not None:
                raise DemoError(f"the server ended with {server.process.returncode}\n{server.tail()}")
            try:
                if client.get(f"{server.url}/readyz").status_code == httpx.codes.OK:
                    _say(f"  ready after {time.monotonic() - started:.1f} s")
                    return
            except httpx.HTTPError:
                pass  # not listening yet
            time.sleep(0.05)
    raise DemoError(f"the server is not ready after {READY_TIMEOUT_S:g} s\n{server.tail()}")


def _http(timeout_s: float = REQUEST_TIMEOUT_S) -> httpx.Client:
    """A client that no proxy of the environment keeps from this machine's own ports."""
    import httpx

    return httpx.Client(timeout=timeout_s, trust_env=False)


def _leave_running(server: Server) -> None:
    _say(f"\nThe server stays up at {server.url}; Ctrl-C stops it.")
    try:
        code = server.process.wait()
    except KeyboardInterrupt:
        _say("stopping")
        return
    raise DemoError(f"the server ended with {code}\n{server.tail()}")


def _stop(server: Server) -> None:
    """Stops the server in an orderly way; one that does not obey is killed and reported."""
    running = server.process.poll() is None
    server.process.terminate()
    try:
        code = server.process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(server.process.pid, signal.SIGKILL)
        raise DemoError(f"the server did not stop within {STOP_TIMEOUT_S:g} s of SIGTERM\n{server.tail()}") from None
    if running and code != 0:
        raise DemoError(f"the server stopped with {code} instead of 0\n{server.tail()}")


def _free_port(*, any_will_do: bool) -> int:
    """Returns the configured or default port, or a free one when that is taken.

    Where nobody is told of it any will do: two demonstrations that begin together would take one another's server for their own.
    """
    preferred = int(os.environ.get("MESHFLOW_PORT") or (0 if any_will_do else DEFAULT_PORT))
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, preferred))
        except OSError:
            probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _short(text: str) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= _OUTPUT_CHARS else f"{line[:_OUTPUT_CHARS]}…"


def _title(title: str, detail: str = "") -> None:
    from rich.text import Text

    stdout_console().print(Text.assemble("\n", (title, "bold"), f"  {detail}"))


def _say(text: str) -> None:
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
