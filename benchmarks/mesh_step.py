"""A step at a healthy peer on loopback beside the same step here: what the way there costs. One session, runs one after another.

    python -m benchmarks.mesh_step [--runs N] [--rounds N] [--quantile Q]

The peer is a server process of its own without Envoy, both ledgers are SQLite on disk. A run has one step: an agent that answers
at once, here, or in a run at the peer. ``rpc`` is that very run at the peer, asked for by a plain client: what no mesh can save.
``rested`` is the run here after a pause as long as a peer takes: a processor that did something else for so long is slower at first.
On a busy machine ``--quantile 0.1`` says more than the median does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop

from meshflow_grpc.app import Outside, Runtime, RuntimeOptions, assemble
from meshflow_grpc.client import AsyncClient
from meshflow_grpc.domain.mesh import MeshNode
from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
from meshflow_grpc.mesh.call_channels import NoCredentials
from meshflow_grpc.mesh.directory import Directory, DirectoryRules
from meshflow_grpc.mesh.peer_client import GrpcPeerClient
from meshflow_grpc.ports.mesh import MeshAccess
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.system import SystemClock
from meshflow_grpc.telemetry.log_observer import LogObserver
from meshflow_grpc.telemetry.logging import configure_logging

START_S = 60.0
PAUSE_S = 0.004
CALLER = Principal("bench", "default", method="bench")
STEP = "name: %s\nentry: step\nnodes:\n  step: %s\n"
AGENT = "{kind: agent, max_output_tokens: 16, mock: {output: ok}}"
HERE = STEP % ("here", AGENT)
THERE = STEP % ("there", "{kind: grpc, peer: build.ai, workflow: noop}")


def _serve(place: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Starts the peer; returns it with its port."""
    environment = {
        **os.environ,
        "MESHFLOW_MOCK": "1",
        "MESHFLOW_LEDGER_DB": str(place / "peer.db"),
        "MESHFLOW_LOG_FORMAT": "json",
        "MESHFLOW_METRICS_PORT": "0",
    }
    command = [sys.executable, "-m", "meshflow_grpc", "serve", "--no-envoy", "--grpc-port", "0", "--host", "127.0.0.1"]
    log = place / "peer.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env=environment, stderr=out, stdout=out)
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up and process.poll() is None:
        found = re.search(r'"grpc_port": ?(\d+)', log.read_text())
        if found:
            return process, int(found[1])
        time.sleep(0.05)
    raise SystemExit(f"the peer did not start: {log.read_text()[-500:]}")


def _node(port: int) -> MeshNode:
    now = SystemClock().now()
    return MeshNode("peer", "build.ai", "", (f"127.0.0.1:{port}",), (), None, False, "0", now, now, 86_400.0)


async def _run(runtime: Runtime, text: str) -> None:
    run = await runtime.commands.run.execute(CALLER, RunRequest(task="t", workflow_yaml=text))
    assert run.status is RunStatus.COMPLETED, run.reason


@dataclass(frozen=True, slots=True)
class _Way:
    name: str
    run: Callable[[], Awaitable[None]]
    pause_s: float = 0.0


async def _took_ms(way: _Way, runs: int, quantile: float) -> float:
    times = []
    for _ in range(runs):
        if way.pause_s:
            await asyncio.sleep(way.pause_s)
        began = time.perf_counter()
        await way.run()
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[int(quantile * (runs - 1))]


async def _measure(place: Path, port: int, options: argparse.Namespace) -> None:
    directory = Directory(DirectoryRules(), SystemClock(), lambda _: None, LogObserver())
    directory.refresh((_node(port),), 0.0)
    client = GrpcPeerClient(NoCredentials())
    storage = await open_storage(str(place / "caller.db"))
    outside = Outside(storage, MockProvider(), peers=MeshAccess(directory, client))
    runtime = assemble(outside, RuntimeOptions())
    async with AsyncClient(f"127.0.0.1:{port}") as plain:
        await plain.put_workflow(STEP % ("noop", AGENT))

        async def rpc() -> None:
            await plain.run("t", workflow="noop")

        here = partial(_run, runtime, HERE)
        ways = (
            _Way("here", here),
            _Way("rested", here, PAUSE_S),
            _Way("rpc", rpc),
            _Way("there", partial(_run, runtime, THERE)),
        )
        for way in ways:
            await _took_ms(way, 20, 0.5)
        names = "".join(f"{way.name:>8}" for way in ways)
        sys.stdout.write(f"{'round':>6}{names}{'more':>8}   ms, quantile {options.quantile:g} of {options.runs} runs\n")
        for number in range(options.rounds):
            took = [await _took_ms(way, options.runs, options.quantile) for way in ways]
            row = "".join(f"{each:>8.2f}" for each in (*took, took[-1] - took[0]))
            sys.stdout.write(f"{number + 1:>6}{row}\n")
    await client.close()
    await storage.close()


def main() -> None:
    """Prints a row per round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quantile", type=float, default=0.5)
    options = parser.parse_args()
    configure_logging("error", "json")
    sys.setswitchinterval(0.0005)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        peer, port = _serve(place)
        try:
            uvloop.run(_measure(place, port, options))
        finally:
            peer.terminate()
            peer.wait(timeout=30)


if __name__ == "__main__":
    main()
