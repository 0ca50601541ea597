"""Several real servers on one ledger behind one real edge Envoy, each a process that can be stopped, killed and frozen."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from meshflow_grpc.envoy.binary import find_envoy
from meshflow_grpc.envoy.bootstrap import TcpAddress
from meshflow_grpc.envoy.edge import EdgeConfig
from meshflow_grpc.envoy.write_edge import edge_yaml
from tests.free_ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from meshflow_grpc.envoy.jwt_filter import JwtFilter
    from meshflow_grpc.envoy.upstream_tls import UpstreamTls

START_TIMEOUT_S = 90.0


@dataclass
class FleetServer:
    """`meshflow serve --no-envoy` on a port of its own, which it keeps over restarts."""

    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    log: list[dict[str, Any]] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the server serves."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MESHFLOW_", "ANTHROPIC_"))}
        command = ["-m", "meshflow_grpc", "serve", "--host", "127.0.0.1", "--no-envoy", "--grpc-port", str(self.port)]
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, *command, env={**kept, **self.environment}, stderr=asyncio.subprocess.PIPE, limit=2**20
        )
        serving = asyncio.Event()
        self._reader = asyncio.create_task(self._read(serving))
        async with asyncio.timeout(START_TIMEOUT_S):
            await serving.wait()
        if self.process.returncode is not None:
            raise RuntimeError(f"the server did not start: {self.log[-5:]}")

    async def _read(self, serving: asyncio.Event) -> None:
        if self.process is None or self.process.stderr is None:
            raise RuntimeError("start() comes first")
        async for raw in self.process.stderr:
            line = raw.decode()
            entry = json.loads(line) if line.startswith("{") else {"event": line}
            self.log.append(entry)
            if entry["event"] == "serving":
                serving.set()
        await self.process.wait()
        serving.set()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, unless the process has ended."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    async def ended(self) -> int:
        """Waits for the process; returns its exit code."""
        if self.process is None or self._reader is None:
            raise RuntimeError("start() comes first")
        code = await self.process.wait()
        await self._reader
        return code


@dataclass
class Fleet:
    """The servers, and the address of the edge."""

    servers: list[FleetServer]
    url: str
    admin: str

    @property
    def target(self) -> str:
        """The edge as gRPC clients name it."""
        return self.url.removeprefix("http://")

    async def until_healthy(self, count: int) -> None:
        """Waits until the edge sends calls to so many servers."""
        await until_healthy(self.admin, count)


async def until_healthy(admin: str, count: int) -> None:
    """Waits until an edge, asked on its administration's URL, sends calls to so many servers.

    Each was asked twice since: a server that restarts faster than it is asked counts as healthy until a check of its old process fails.
    """
    async with (
        httpx.AsyncClient(base_url=admin, timeout=START_TIMEOUT_S, trust_env=False) as http,
        asyncio.timeout(START_TIMEOUT_S),
    ):
        checks = await _stat(http, "health_check.success") + 2 * count
        while True:
            healthy = await _stat(http, "membership_healthy")
            if healthy == count and await _stat(http, "health_check.success") >= checks:
                return
            await asyncio.sleep(0.05)


async def _stat(http: httpx.AsyncClient, name: str) -> int:
    text = (await http.get("/stats", params={"filter": f"^cluster.meshflow.{name}$"})).text
    return int(text.rpartition(":")[2] or 0)


@asynccontextmanager
async def fleet(directory: Path, environment: dict[str, str], *, servers: int = 2) -> AsyncIterator[Fleet]:
    """Starts servers and edge; ends all of them."""
    started = [FleetServer(environment) for _ in range(servers)]
    async with AsyncExitStack() as stack:
        for server in started:
            stack.push_async_callback(_end, server)
        await asyncio.gather(*(server.start() for server in started))
        running = await stack.enter_async_context(
            edge_envoy(directory / "edge.yaml", [server.port for server in started])
        )
        edge = Fleet(started, *running)
        await edge.until_healthy(servers)
        yield edge


async def _end(server: FleetServer) -> None:
    server.signal(signal.SIGCONT)
    server.signal(signal.SIGTERM)
    if server.process is not None:
        await server.ended()


@asynccontextmanager
async def edge_envoy(
    path: Path,
    upstreams: Sequence[int],
    *,
    jwt: JwtFilter | None = None,
    tls: UpstreamTls | None = None,
    allowed_origins: tuple[str, ...] = (),
) -> AsyncIterator[tuple[str, str]]:
    """A real Envoy with the edge's configuration, written to a file, for servers on ports; yields its URL and its administration's."""
    public, admin = TcpAddress("127.0.0.1", free_port()), TcpAddress("127.0.0.1", free_port())
    servers = tuple(TcpAddress("127.0.0.1", port) for port in upstreams)
    text = edge_yaml(EdgeConfig(public, servers, admin, allowed_origins, jwt, tls))
    await asyncio.to_thread(path.write_text, text)
    command = [str(find_envoy()), "--config-path", str(path), "--concurrency", "1", "--disable-hot-restart"]
    process = await asyncio.create_subprocess_exec(*command, "--log-level", "error")
    try:
        await _ready(f"http://127.0.0.1:{admin.port}/ready", process)
        yield f"http://127.0.0.1:{public.port}", f"http://127.0.0.1:{admin.port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient(timeout=START_TIMEOUT_S, trust_env=False) as http, asyncio.timeout(START_TIMEOUT_S):
        while process.returncode is None:
            try:
                if (await http.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    raise RuntimeError(f"Envoy ended with status {process.returncode}")
