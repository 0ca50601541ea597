"""A server with many runs that wait for a human: its memory beside idle, and how soon an approved run goes on, also after a restart.

    python -m benchmarks.paused_runs [--runs N] [--approvals N]

The server is a process of its own on a SQLite ledger; memory is its resident set, after a collection that its own traffic brings about.
``resumed`` is the time from sending the decision until the run has ended, its remaining step included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from meshflow_grpc.client import AsyncClient

GATED = """
name: gated
entry: writer
nodes: {writer: {role: EXECUTOR, mock: {output: draft}}, publisher: {role: ORCHESTRATOR, risk: external_io, mock: {output: out}}}
edges: ["writer -> publisher"]
policy: {human_in_loop: {enabled: true, tier_threshold: external_io}}
"""
IN_FLIGHT = 64
SETTLE_S = 6.0


class Server:
    """``meshflow serve`` without Envoy."""

    def __init__(self, directory: Path) -> None:
        environment = {
            **os.environ,
            "MESHFLOW_MOCK": "1",
            "MESHFLOW_LEDGER_DB": str(directory / "ledger.db"),
            "MESHFLOW_LOG_FORMAT": "json",
            "MESHFLOW_LOG_LEVEL": "info",
            "MESHFLOW_METRICS_PORT": "0",
        }
        log = (directory / "log").open("a")
        command = [
            sys.executable,
            "-m",
            "meshflow_grpc",
            "serve",
            "--no-envoy",
            "--host",
            "127.0.0.1",
            "--grpc-port",
            "0",
        ]
        self.process = subprocess.Popen(command, env=environment, stderr=log)
        log.close()
        self.address = self._address(directory / "log")

    def _address(self, log: Path) -> str:
        while self.process.poll() is None:
            for line in log.read_text().splitlines():
                if f'"pid": {self.process.pid}' in line or '"event": "serving"' in line:
                    found = json.loads(line)
                    if found.get("event") == "serving":
                        log.write_text("")
                        return f"127.0.0.1:{found['grpc_port']}"
            time.sleep(0.05)
        raise SystemExit("the server did not start")

    def memory_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


async def _pause(client: AsyncClient, count: int) -> list[str]:
    """Starts runs that pause; returns their approvals."""
    found: list[str] = []

    async def worker(share: int) -> None:
        for _ in range(share):
            run = await client.run("t", workflow_yaml=GATED)
            assert run.status == "paused", run
            found.append(run.pending_approval.approval_id)

    await asyncio.gather(*(worker(count // IN_FLIGHT) for _ in range(IN_FLIGHT)))
    return found


async def _approve(client: AsyncClient, approvals: list[str]) -> list[float]:
    """Approves one after another; returns milliseconds until each run has ended."""
    taken = []
    for approval in approvals:
        began = time.perf_counter()
        decided = await client.decide_approval(approval, "approve")
        run = await client.wait_run(decided.run_id)
        assert run.status == "completed", run
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _row(name: str, memory: float, idle: float, taken: list[float]) -> None:
    ordered = sorted(taken)
    p99 = ordered[int(len(ordered) * 0.99) - 1]
    times = f"{statistics.median(ordered):>10.1f}{p99:>10.1f}{ordered[-1]:>10.1f}"
    sys.stdout.write(f"{name:<16}{memory:>10.1f}{memory - idle:>10.1f}{times}\n")
    sys.stdout.flush()


async def _measure(runs: int, approvals: int, directory: Path) -> None:
    server = Server(directory)
    async with AsyncClient(server.address) as client:
        warm = await _pause(client, IN_FLIGHT * 4)
        await _approve(client, warm[:50])
        idle = server.memory_mb()
        alone = await _approve(client, warm[50:150])
        _row("idle", idle, idle, alone)
        waiting = await _pause(client, runs)
        await asyncio.sleep(SETTLE_S)
        random.Random(1).shuffle(waiting)
        memory = server.memory_mb()
        _row(f"{len(waiting)} paused", memory, idle, await _approve(client, waiting[:approvals]))
    server.stop()
    again = Server(directory)
    async with AsyncClient(again.address) as client:
        await asyncio.sleep(SETTLE_S)
        memory = again.memory_mb()
        _row("after a restart", memory, idle, await _approve(client, waiting[approvals : 2 * approvals]))
    again.stop()


def main() -> None:
    """Prints memory and times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--approvals", type=int, default=200)
    options = parser.parse_args()
    sys.stdout.write(f"{'':<16}{'MB':>10}{'over idle':>10}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}\n")
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_measure(options.runs, options.approvals, Path(directory)))


if __name__ == "__main__":
    main()
