"""Processes that a benchmark serves from, and what they use: a real server, a bare gRPC echo, the original's HTTP server."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TICKS = os.sysconf("SC_CLK_TCK")
_START_S = 60.0
_ECHO = """
import asyncio, sys
import grpc, uvloop
from grpc import aio
from meshflow_grpc._gen.meshflow.v1.event_pb2 import RunEvent
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest, RunResponse
from meshflow_grpc._gen.meshflow.v1.system_service_pb2 import GetHealthRequest, GetHealthResponse

async def run(request, context):
    return RunResponse(run_id="run_x", status="completed", output=request.task)

async def stream(request, context):
    for kind in ("run_started", "agent_completed", "run_completed"):
        yield RunEvent(event_type=kind, run_id="run_x", output=request.task)

async def health(request, context):
    return GetHealthResponse(ok=True, status="ok")

async def main():
    server = aio.server(options=[("grpc.so_reuseport", 0)])
    unary, streaming = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    runs = {
        "Run": unary(run, RunRequest.FromString, RunResponse.SerializeToString),
        "StreamRun": streaming(stream, RunRequest.FromString, RunEvent.SerializeToString),
    }
    system = {"GetHealth": unary(health, GetHealthRequest.FromString, GetHealthResponse.SerializeToString)}
    handler = grpc.method_handlers_generic_handler
    server.add_generic_rpc_handlers((handler("meshflow.v1.RunService", runs), handler("meshflow.v1.SystemService", system)))
    server.add_insecure_port("127.0.0.1:" + sys.argv[1])
    await server.start()
    print('{"event": "serving"}', flush=True)
    await server.wait_for_termination()

uvloop.run(main())
"""


@dataclass(frozen=True)
class Served:
    """A running process with its children."""

    pid: int
    http: str = ""
    grpc: str = ""

    def cpu_s(self) -> float:
        """Processor seconds used so far."""
        total = 0
        for folder in self._family():
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def memory_kb(self) -> list[int]:
        """Resident memory of each process, the server's first."""
        texts = [(folder / "status").read_text() for folder in self._family()]
        return [int(text.partition("VmRSS:")[2].split()[0]) for text in texts]

    def _family(self) -> list[Path]:
        found, open_ = [], [self.pid]
        while open_:
            folder = Path(f"/proc/{open_.pop()}")
            found.append(folder)
            for task in (folder / "task").iterdir():
                open_ += [int(child) for child in (task / "children").read_text().split()]
        return found


@asynccontextmanager
async def meshflow(*options: str, **environment: str) -> AsyncIterator[Served]:
    """`meshflow serve` with Envoy unless ``options`` say otherwise, on SQLite and the offline model, logging to a file."""
    with tempfile.TemporaryDirectory() as directory:
        settings = {
            "MESHFLOW_MOCK": "1",
            "MESHFLOW_DATA_DIR": directory,
            "MESHFLOW_LOG_FORMAT": "json",
            "MESHFLOW_METRICS_PORT": "0",
            **environment,
        }
        command = ["-m", "meshflow_grpc", "serve", "--host", "127.0.0.1", *(options or ("--port", "0"))]
        async with _process([sys.executable, *command], Path(directory) / "log", settings) as (pid, line):
            yield Served(pid, line.get("address", ""), f"127.0.0.1:{line['grpc_port']}")


@asynccontextmanager
async def echo() -> AsyncIterator[Served]:
    """A bare grpc.aio server that answers the same messages without doing anything."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-c", _ECHO, str(port)]
        async with _process(command, Path(directory) / "log", {}) as (pid, _):
            yield Served(pid, grpc=f"127.0.0.1:{port}")


@asynccontextmanager
async def original(python: str) -> AsyncIterator[Served]:
    """The original's HTTP server (meshflow on the package index), run by an interpreter that has it; its rate limit is lifted."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        options = ["--host", "127.0.0.1", "--port", str(port), "--ledger", f"{directory}/ledger.db"]
        command = [python, "-m", "meshflow.runtime.server", *options]
        lifted = {"MESHFLOW_RATE_LIMIT_RPS": "1000000", "MESHFLOW_RATE_LIMIT_BURST": "1000000"}
        async with _process(command, Path(directory) / "log", {"MESHFLOW_MOCK": "1", **lifted}, port=port) as (pid, _):
            yield Served(pid, f"http://127.0.0.1:{port}")


@asynccontextmanager
async def _process(
    command: list[str], log: Path, environment: dict[str, str], *, port: int | None = None
) -> AsyncIterator[tuple[int, dict[str, str]]]:
    """Ready once it says so in its log, or takes connections on the port."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MESHFLOW_", "ANTHROPIC_"))}
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=file, stderr=file, env={**kept, **environment}, cwd=str(Path(__file__).parent.parent)
        )
    try:
        async with asyncio.timeout(_START_S):
            while (ready := await _ready(log, port)) is None:
                if process.returncode is not None:
                    raise RuntimeError(f"it did not start: {await asyncio.to_thread(log.read_text)}")
                await asyncio.sleep(0.1)
        yield process.pid, ready
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(log: Path, port: int | None) -> dict[str, str] | None:
    if port is not None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return None
        writer.close()
        return {}
    text = await asyncio.to_thread(log.read_text)
    lines = [line for line in text.splitlines() if '"serving"' in line]
    return json.loads(lines[0]) if lines else None
