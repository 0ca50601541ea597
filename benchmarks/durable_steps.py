"""Durable governed steps per second on each engine, beside the engine's own limit and other programs, all in one session.

    python -m benchmarks.durable_steps [--postgres URL] [--runs N] [--rounds N] [--in-flight 1,16,64,256]
        [--harness DIR --peer NAME=PYTHON,MODULE,BACKEND ...]

The workload is eight steps: researcher, two analysts at once, writer, gate, writer, gate, publisher; agents answer at once. ``raw``
inserts ready rows of the same size into the same table, a commit for as many as are in flight, with nothing else to do. A peer is
measured by a harness that takes ``MODULE --backend B --measure throughput --conc N`` and prints a line ``RESULT {json}``.
Rounds of all rows are interleaved, medians are printed; ratios hold, figures of one machine do not travel.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import uvloop

from benchmarks.ledger_append import INPUT, OUTPUT, TIME, raw_limit
from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.app.interpreter import run_as_server
from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
from meshflow_grpc.domain.stored_row import EntryRow
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.telemetry.logging import configure_logging
from tests.fakes.providers import FakeProvider

CALLER = Principal("bench", "bench", method="bench")
STEPS = 8
ENTRIES = STEPS + 2
WORKFLOW = """
name: capstone
entry: researcher
nodes: {researcher: {}, analyst_a: {}, analyst_b: {}, writer: {}, gate: {}, rewriter: {}, last_gate: {}, publisher: {}}
edges:
  - researcher -> analyst_a
  - researcher -> analyst_b
  - analyst_a -> writer
  - analyst_b -> writer
  - writer -> gate
  - gate -> rewriter
  - rewriter -> last_gate
  - last_gate -> publisher
"""


class Rate(NamedTuple):
    """Steps a second, and CPU microseconds a step; 0 where it is not known."""

    steps_per_s: float
    cpu_us: float = 0.0


class Peer(NamedTuple):
    """Another program, as a harness measures it."""

    name: str
    python: str
    module: str
    backend: str


async def ours(ledger: str, runs: int, in_flight: int) -> Rate:
    """Runs to their end, so many at a time."""
    storage = await open_storage(ledger)
    runtime = assemble(Outside(storage, FakeProvider()), RuntimeOptions(max_in_flight=in_flight))
    request = RunRequest(task="t", workflow_yaml=WORKFLOW)

    async def worker(count: int) -> None:
        for _ in range(count):
            run = await runtime.commands.run.execute(CALLER, request)
            assert run.status is RunStatus.COMPLETED

    await worker(10)
    with run_as_server():
        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(worker(max(1, runs // in_flight)) for _ in range(in_flight)))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    steps = max(1, runs // in_flight) * in_flight * STEPS
    await storage.close()
    return Rate(steps / wall, cpu / steps * 1e6)


async def raw_postgres(url: str, batch: int, seconds: float) -> float:
    """Rows per second of one connection that inserts ready rows, one statement and one commit a batch."""
    connection = await asyncpg.connect(url, server_settings={"synchronous_commit": "on"})
    await connection.execute("CREATE TABLE IF NOT EXISTS raw_entries (LIKE ledger_entries INCLUDING ALL)")
    await connection.execute("TRUNCATE raw_entries")
    kinds = [
        "bytea" if n == "record" else "bigint" if n in ("seq", "sequence", "attempt") else "text"
        for n in EntryRow._fields
    ]
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(kinds, 1))
    sql = f"INSERT INTO raw_entries SELECT * FROM unnest({arrays})"
    seq, step, start = 0, 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step += 1
        rows = []
        for run in range(batch):
            seq += 1
            hashes = ("s" * 64, "s" * 64, "p" * 64, "h" * 64, b"r" * 850)
            rows.append((seq, f"run_{run:06}", "d", step, "k", "w", f"w/{step}", 1, TIME, INPUT, OUTPUT, *hashes))
        await connection.execute(sql, *map(list, zip(*rows, strict=True)))
    elapsed = time.perf_counter() - start
    await connection.close()
    return seq / elapsed


def peer_rate(harness: Path, peer: Peer, in_flight: int, runs: int) -> Rate | None:
    """A peer's figure; None, said on stderr, when it could not be had."""
    command = [peer.python, "harness.py", peer.module, "--backend", peer.backend, "--measure", "throughput"]
    command += ["--conc", str(in_flight), "--n", str(runs)]
    done = subprocess.run(command, cwd=harness, capture_output=True, text=True, timeout=300, check=False)
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    result: dict[str, Any] = json.loads(found[-1].removeprefix("RESULT ")) if found else {"error": done.stderr[-300:]}
    if "error" in result:
        sys.stderr.write(f"{peer.name}: {result['error']}\n")
        return None
    return Rate(result["steps_s"], result["cpu_ms_per_run"] * 1e3 / STEPS)


def one_round(options: argparse.Namespace, in_flight: int) -> dict[str, Rate]:
    """Every row once."""
    rates: dict[str, Rate] = {}
    runs = max(in_flight * 2, options.runs // (8 if in_flight == 1 else 1))
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        rates["sqlite"] = uvloop.run(ours(str(Path(folder) / "ledger.db"), runs, in_flight))
        rates["raw sqlite"] = Rate(raw_limit(Path(folder), in_flight, 0.5) * STEPS / ENTRIES)
    if options.postgres:
        rates["postgres"] = uvloop.run(ours(options.postgres, runs, in_flight))
        raw = uvloop.run(raw_postgres(options.postgres, in_flight, 0.5))
        rates["raw postgres"] = Rate(raw * STEPS / ENTRIES)
    for peer in options.peer:
        rate = peer_rate(options.harness, peer, in_flight, runs)
        if rate is not None:
            rates[peer.name] = rate
    return rates


def _peer(text: str) -> Peer:
    name, _, rest = text.partition("=")
    python, module, backend = rest.split(",")
    return Peer(name, python, module, backend)


def main() -> None:
    """Prints a line per row and number of runs in flight; the ratio is that of our SQLite row to it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgres", default="")
    parser.add_argument("--runs", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", default="1,16,64,256")
    parser.add_argument("--dir", type=Path, default=None)
    parser.add_argument("--harness", type=Path, default=Path())
    parser.add_argument("--peer", type=_peer, action="append", default=[])
    options = parser.parse_args()
    configure_logging("error", "json")
    sys.stdout.write(f"{'runs':>5} {'row':<22} {'steps/s':>10} {'CPU us/step':>12} {'ours/row':>9}\n")
    for in_flight in map(int, options.in_flight.split(",")):
        rounds = [one_round(options, in_flight) for _ in range(options.rounds)]
        ours_rate = statistics.median(each["sqlite"].steps_per_s for each in rounds)
        for row in rounds[0]:
            found = [each[row] for each in rounds if row in each]
            rate = statistics.median(each.steps_per_s for each in found)
            cpu = statistics.median(each.cpu_us for each in found)
            told = f"{cpu:>12.0f}" if cpu else f"{'':>12}"
            sys.stdout.write(f"{in_flight:>5} {row:<22} {rate:>10,.0f} {told} {ours_rate / rate:>9.2f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
