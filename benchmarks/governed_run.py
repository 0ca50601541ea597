"""CPU and throughput of governed, durable two-step runs in process: four ledger entries a run, on disk.

    python -m benchmarks.governed_run [--runs N] [--rounds N]

``governance`` is the same with the ledger in memory, so that the difference is what durability costs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.telemetry.logging import configure_logging

TASK = "Analyze the Q3 revenue figures and flag any anomalies."
CALLER = Principal("bench", "bench", method="bench")


async def _round(ledger: str, runs: int, in_flight: int) -> tuple[float, float]:
    """Returns (runs a second, CPU microseconds a run)."""
    storage = await open_storage(ledger)
    runtime = assemble(Outside(storage, MockProvider()), RuntimeOptions(max_in_flight=in_flight))

    async def worker(count: int) -> None:
        for _ in range(count):
            run = await runtime.commands.run.execute(CALLER, RunRequest(task=TASK))
            assert run.status is RunStatus.COMPLETED

    await worker(20)
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker(runs // in_flight) for _ in range(in_flight)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    await storage.close()
    done = runs // in_flight * in_flight
    return done / wall, cpu / done * 1e6


def main() -> None:
    """Prints a row per number of runs in flight."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    configure_logging("warning", "json")
    sys.setswitchinterval(0.0005)
    sys.stdout.write(f"{'ledger':<12}{'in flight':>10}{'runs/s':>10}{'CPU us/run':>12}\n")
    for kind in ("sqlite", "memory"):
        for in_flight in (1, 16, 64, 256):
            figures = []
            for _ in range(options.rounds):
                with tempfile.TemporaryDirectory() as directory:
                    ledger = str(Path(directory) / "ledger.db") if kind == "sqlite" else "memory:"
                    runs = options.runs if in_flight > 1 else options.runs // 8
                    figures.append(uvloop.run(_round(ledger, runs, in_flight)))
            rate, cpu = (statistics.median(column) for column in zip(*figures, strict=True))
            sys.stdout.write(f"{kind:<12}{in_flight:>10}{rate:>10.0f}{cpu:>12.0f}\n")


if __name__ == "__main__":
    main()
