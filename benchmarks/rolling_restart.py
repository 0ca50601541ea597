"""Two servers on one PostgreSQL behind the edge Envoy, restarted in turn under load: what callers see of it.

    python -m benchmarks.rolling_restart [--restarts N] [--callers N] [--kill | --outage SECONDS]

Needs PostgreSQL's server binaries. `--kill` sends SIGKILL in place of SIGTERM; `--outage` stops the database for so long in place of
the servers. Callers then repeat what was refused on the way, under its request id.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks.fleet import Fleet, fleet
from benchmarks.fleet_load import TIMEOUT_S, Load
from tests.postgres_cluster import PostgresCluster, postgres_cluster

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the callers saw, and what the ledger says afterwards."""

    load: Load
    turns: int
    lost: list[str]
    seconds: float


async def measure(
    url: str,
    directory: Path,
    disturb: Callable[[Fleet, int], Awaitable[None]],
    *,
    turns: int,
    callers: int,
    repeats: bool,
) -> Outcome:
    """Disturbs the fleet again and again under load and returns what came of it."""
    environment = {
        "MESHFLOW_MOCK": "1",
        "MESHFLOW_MOCK_LATENCY_MS": "200",
        "MESHFLOW_DATA_DIR": str(directory),
        "MESHFLOW_LEDGER_DB": url,
        "MESHFLOW_LEASE_S": "2",
        "MESHFLOW_LOG_FORMAT": "json",
        "MESHFLOW_METRICS_PORT": "0",
    }
    begun = time.perf_counter()
    async with fleet(directory, environment) as running:
        load = Load(running.url, repeats=repeats)
        calling = asyncio.create_task(load.run(callers))
        await load.more(callers)
        for turn in range(turns):
            await disturb(running, turn)
            await load.more(callers)
        load.stopping = True
        await calling
        lost = await _not_completed(running.url, load)
    return Outcome(load, turns, lost, time.perf_counter() - begun)


def restarting(number: signal.Signals) -> Callable[[Fleet, int], Awaitable[None]]:
    """Ends one server after the other with a signal and starts it again."""

    async def restart(running: Fleet, turn: int) -> None:
        server = running.servers[turn % len(running.servers)]
        server.signal(number)
        code = await server.ended()
        if code not in {0, -signal.SIGKILL}:
            raise RuntimeError(f"the server ended with {code}: {server.log[-5:]}")
        await server.start()
        await running.until_healthy(len(running.servers))

    return restart


def without_database(cluster: PostgresCluster, seconds: float) -> Callable[[Fleet, int], Awaitable[None]]:
    """Stops the database at once, and starts it again after a while."""

    async def outage(running: Fleet, _turn: int) -> None:
        await asyncio.to_thread(cluster.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(cluster.start)
        await running.until_healthy(len(running.servers))

    return outage


async def _not_completed(url: str, load: Load) -> list[str]:
    """Runs that callers know of and that did not complete, or do not verify."""
    lost = []
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False) as http:
        for run_id in load.runs:
            run = (await http.get(f"/v1/runs/{run_id}:wait", params={"timeout_s": 30})).json()
            verified = (await http.get(f"/v1/runs/{run_id}:verify")).json()
            if run.get("status") != "completed" or not verified.get("valid"):
                lost.append(f"{run_id}: {run.get('status')} {run.get('status_reason')} {verified.get('faults')}")
    return lost


def report(outcome: Outcome) -> str:
    """The table."""
    load = outcome.load
    ordered = sorted(load.latencies)
    lines = [
        f"{outcome.turns} disturbances in {outcome.seconds:.0f} s",
        f"{load.calls.total()} calls, {len(load.failures)} failed; {len(load.runs)} runs, {len(outcome.lost)} lost",
        f"{load.resumed} SSE streams resumed, {load.repeated} requests repeated",
        f"p50 {statistics.median(ordered):.2f} s, p99 {ordered[int(len(ordered) * 0.99)]:.2f} s, worst {ordered[-1]:.2f} s",
        *(f"  {kind}: {count}" for kind, count in sorted(load.calls.items())),
        *(f"  failed: {failure}" for failure in load.failures[:40]),
        *(f"  lost: {each}" for each in outcome.lost[:40]),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints the table; exit code 1 when a call failed or a run was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--callers", type=int, default=28)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--outage", type=float, metavar="SECONDS")
    given = parser.parse_args()
    number = signal.SIGKILL if given.kill else signal.SIGTERM
    with postgres_cluster() as cluster, tempfile.TemporaryDirectory() as directory:
        disturb = without_database(cluster, given.outage) if given.outage else restarting(number)
        work = measure(
            cluster.new_database(),
            Path(directory),
            disturb,
            turns=given.restarts,
            callers=given.callers,
            repeats=bool(given.kill or given.outage),
        )
        outcome = asyncio.run(work)
    sys.stdout.write(report(outcome))
    sys.exit(bool(outcome.load.failures or outcome.lost))


if __name__ == "__main__":
    main()
