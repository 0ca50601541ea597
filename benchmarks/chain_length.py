"""What a step of a long chain costs beside one of a short chain: 1,000 steps and 10, in the same process, in turns.

    python -m benchmarks.chain_length [--rounds N]

The workflow is compiled before; what is measured is the run, its start and its end included. ``resume`` is reading the run back from
its ledger, per step.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from meshflow_grpc.app import Outside, Runtime, RuntimeOptions, assemble
from meshflow_grpc.domain.run import Principal, Run, RunRequest, RunStatus
from meshflow_grpc.engine.recovery import replay
from meshflow_grpc.engine.run_record import origin_of
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.telemetry.logging import configure_logging
from meshflow_grpc.workflow.compiled import compile_workflow
from meshflow_grpc.workflow.digest import from_json

CALLER = Principal("bench", "bench", method="bench")
SHORT, LONG = 10, 1000
POLICY = {"max_steps": 10 * LONG, "budget_tokens": 10**9, "budget_usd": 10**6, "timeout_s": 3600.0}


def chain(length: int) -> str:
    """A chain of agents in YAML."""
    nodes = "\n".join(f"  n{i}: {{role: EXECUTOR, mock: {{output: done}}}}" for i in range(length))
    edges = "\n".join(f"  - n{i} -> n{i + 1}" for i in range(length - 1))
    return f"name: chain\nentry: n0\nnodes:\n{nodes}\nedges:\n{edges}\n"


async def _run(runtime: Runtime, text: str) -> Run:
    run = await runtime.commands.run.execute(CALLER, RunRequest(task="t", workflow_yaml=text, policy=POLICY))
    assert run.status is RunStatus.COMPLETED, run.reason
    return run


async def _timed(runtime: Runtime, text: str, runs: int, length: int) -> tuple[float, float]:
    """Microseconds of CPU and of time per step."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(runs):
        await _run(runtime, text)
    steps = runs * length
    return (time.process_time() - cpu) / steps * 1e6, (time.perf_counter() - wall) / steps * 1e6


async def _resumed(runtime: Runtime, text: str, runs: int, length: int) -> tuple[float, float]:
    """The same for reading a run's progress back from its entries."""
    run = await _run(runtime, text)
    entries = await runtime.storage.entries("bench", run.run_id, limit=length + 10)
    workflow = compile_workflow(from_json(origin_of(entries[0]).definition))
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(runs):
        replay(workflow, entries)
    steps = runs * length
    return (time.process_time() - cpu) / steps * 1e6, (time.perf_counter() - wall) / steps * 1e6


async def _rounds(ledger: str, rounds: int) -> None:
    storage = await open_storage(ledger)
    runtime = assemble(Outside(storage, MockProvider()), RuntimeOptions())
    short, long = chain(SHORT), chain(LONG)
    await _run(runtime, short)
    await _run(runtime, long)
    for name, measure in (("run", _timed), ("resume", _resumed)):
        figures = [
            (*await measure(runtime, short, LONG // SHORT, SHORT), *await measure(runtime, long, 1, LONG))
            for _ in range(rounds)
        ]
        columns = [statistics.median(column) for column in zip(*figures, strict=True)]
        ratios = statistics.median(f[2] / f[0] for f in figures), statistics.median(f[3] / f[1] for f in figures)
        kind = "memory" if ledger == "memory:" else "sqlite"
        sys.stdout.write(f"{kind:<8}{name:<8}" + "".join(f"{c:>12.1f}" for c in columns))
        sys.stdout.write(f"{ratios[0]:>12.2f}{ratios[1]:>12.2f}\n")
    await storage.close()


def main() -> None:
    """Prints a row per ledger."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    configure_logging("warning", "json")
    sys.setswitchinterval(0.0005)
    heads = (f"us CPU x{SHORT}", f"us x{SHORT}", f"us CPU x{LONG}", f"us x{LONG}", "CPU ratio", "time ratio")
    sys.stdout.write(f"{'ledger':<8}{'':<8}" + "".join(f"{head:>12}" for head in heads) + "\n")
    with tempfile.TemporaryDirectory() as directory:
        for ledger in ("memory:", str(Path(directory) / "ledger.db")):
            uvloop.run(_rounds(ledger, rounds))


if __name__ == "__main__":
    main()
