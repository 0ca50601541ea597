"""CPU of a governed durable step beside the yardstick's, in one session; ends with 1 when the ratio is above the limit.

    python -m benchmarks.cpu_budget [--limit 4] [--rounds N] [--runs N] [--in-flight N]

Both take the same workload (`capstone`) on SQLite. Each figure is of a fresh process with a fresh ledger, its writer's thread included
and start-up not; rounds alternate, and the ratio is that of the medians, so that a busy machine falls on both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks import yardstick
from benchmarks.capstone import STEP_RATE_PER_S, STEPS, TASK, workflow

LIMIT = 4.0
SWITCH_INTERVAL_S = 0.0005
TIMEOUT_S = 300.0
# How many times ``--runs`` each takes, so that a figure comes from about as much work.
SUBJECTS = {"ours": 1, "yardstick": 8}


async def ours(folder: Path, runs: int, in_flight: int) -> float:
    """CPU microseconds of a step of the whole engine with the default policy, after a warm-up of a run each."""
    from benchmarks.agents import Agents
    from meshflow_grpc.app import Outside, RuntimeOptions, assemble
    from meshflow_grpc.app.interpreter import run_as_server
    from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
    from meshflow_grpc.storage.factory import open_storage
    from meshflow_grpc.telemetry.logging import configure_logging

    configure_logging("error", "json")
    storage = await open_storage(str(folder / "ledger.db"))
    options = RuntimeOptions(max_in_flight=in_flight, step_rate_per_s=STEP_RATE_PER_S)
    execute = assemble(Outside(storage, Agents()), options).commands.run.execute
    caller, request = Principal("bench", "bench", method="bench"), RunRequest(task=TASK, workflow_yaml=workflow())

    async def worker(count: int) -> None:
        for _ in range(count):
            run = await execute(caller, request)
            assert run.status is RunStatus.COMPLETED, run.reason

    await asyncio.gather(*(worker(1) for _ in range(in_flight)))
    each = max(1, runs // in_flight)
    with run_as_server():
        began = time.process_time()
        await asyncio.gather(*(worker(each) for _ in range(in_flight)))
        used = time.process_time() - began
    await storage.close()
    return used / (each * in_flight * STEPS) * 1e6


def measured_here(subject: str, runs: int, in_flight: int) -> float:
    """One figure of this process."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    measure = ours if subject == "ours" else yardstick.cpu_us_a_step
    with tempfile.TemporaryDirectory() as folder:
        return uvloop.run(measure(Path(folder), runs * SUBJECTS[subject], in_flight))


def measured_apart(subject: str, runs: int, in_flight: int) -> float:
    """One figure of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.cpu_budget", "--only", subject]
    command += ["--runs", str(runs), "--in-flight", str(in_flight)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S)
    return float(done.stdout)


def told(figures: dict[str, list[float]], limit: float) -> tuple[str, bool]:
    """What is printed of the rounds, and whether the limit holds."""
    medians = {subject: statistics.median(of) for subject, of in figures.items()}
    lines = [
        f"{subject:<10}{medians[subject]:>8.1f} us CPU a step ({min(of):.1f} to {max(of):.1f} in {len(of)} rounds)"
        for subject, of in figures.items()
    ]
    ratio = medians["ours"] / medians["yardstick"]
    holds = ratio <= limit
    lines.append(f"ratio     {ratio:>8.2f}, limit {limit:g}: {'holds' if holds else 'ABOVE THE LIMIT'}")
    return "\n".join(lines) + "\n", holds


def main() -> None:
    """Prints both figures and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=LIMIT)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=int, default=512)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--only", choices=SUBJECTS, help="print one figure, measured in this process")
    options = parser.parse_args()
    if options.only:
        sys.stdout.write(f"{measured_here(options.only, options.runs, options.in_flight)}\n")
        return
    figures: dict[str, list[float]] = {subject: [] for subject in SUBJECTS}
    for number in range(options.rounds):
        for subject in list(SUBJECTS)[:: 1 if number % 2 else -1]:
            figures[subject].append(measured_apart(subject, options.runs, options.in_flight))
    text, holds = told(figures, options.limit)
    sys.stdout.write(text)
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
