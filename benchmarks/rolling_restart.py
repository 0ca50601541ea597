"""Two servers on one PostgreSQL behind the edge Envoy, restarted in turn under load: what callers see of it.

    python -m benchmarks.rolling_restart [--restarts N] [--callers N] [--kill]

Needs PostgreSQL's server binaries. `--kill` sends SIGKILL in place of SIGTERM; callers then repeat what was refused on the way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

from benchmarks.fleet import Fleet, fleet
from meshflow_grpc.client import AsyncClient, Connection
from tests.postgres_cluster import postgres_cluster

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

WHOLE = ("run_started", "agent_completed", "agent_completed", "run_completed")
TIMEOUT_S = 60.0


@dataclass
class Load:
    """Callers of every kind, each starting run after run."""

    url: str
    repeats: bool = False
    calls: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    resumed: int = 0
    repeated: int = 0
    runs: dict[str, str] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    stopping: bool = False
    ended: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, callers: int) -> None:
        """Calls until told to stop."""
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=TIMEOUT_S, limits=limits, trust_env=False) as http,
            AsyncClient(Connection(self.url)) as grpc,
            asyncio.TaskGroup() as group,
        ):
            kinds: list[tuple[str, Callable[[], Awaitable[None]]]] = [
                ("REST run", lambda: self._rest_run(http)),
                ("REST stream", lambda: self._rest_stream(http)),
                ("REST wait", lambda: self._rest_wait(http)),
                ("SSE watch", lambda: self._sse_watch(http)),
                ("gRPC run", lambda: self._grpc_run(grpc)),
                ("gRPC stream", lambda: self._grpc_stream(grpc)),
                ("gRPC watch", lambda: self._grpc_watch(grpc)),
            ]
            for number in range(callers):
                group.create_task(self._caller(*kinds[number % len(kinds)]))

    async def _caller(self, kind: str, call: Callable[[], Awaitable[None]]) -> None:
        while not self.stopping:
            begun = time.perf_counter()
            try:
                await call()
            except Exception as error:  # noqa: BLE001 - whatever a caller would see is the measurement
                self.failures.append(f"{time.strftime('%T')} {kind}: {type(error).__name__}: {str(error)[:300]}")
            self.latencies.append(time.perf_counter() - begun)
            async with self.ended:
                self.calls[kind] += 1
                self.ended.notify_all()

    async def more(self, count: int) -> None:
        """Waits for so many more calls."""
        target = self.calls.total() + count
        async with asyncio.timeout(TIMEOUT_S), self.ended:
            await self.ended.wait_for(lambda: self.calls.total() >= target)

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"task": "why are there tides?"}
        return body | ({"request_id": str(uuid4())} if self.repeats else {})

    async def _post(self, http: httpx.AsyncClient, path: str) -> dict[str, Any]:
        body = self._body()
        while True:
            answer = await http.post(path, json=body)
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
            if not (self.repeats and answer.status_code == 503):
                raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
            self.repeated += 1
            await asyncio.sleep(0.1)

    def _ended(self, run: dict[str, Any]) -> None:
        self.runs[run["run_id"]] = run["status"]
        if run["status"] != "completed":
            raise RuntimeError(f"run {run['run_id']} is {run['status']}: {run}")

    async def _rest_run(self, http: httpx.AsyncClient) -> None:
        self._ended(await self._post(http, "/run"))

    async def _rest_stream(self, http: httpx.AsyncClient) -> None:
        body, seen = self._body(), list[str]()
        while True:
            seen.clear()
            try:
                async with http.stream("POST", "/stream", json=body) as answer:
                    async for line in answer.aiter_lines():
                        if line.startswith("data: "):
                            event = json.loads(line.removeprefix("data: "))
                            seen.append(event["event_type"])
                            self.runs.setdefault(event["run_id"], "running")
                    status = answer.status_code
            except httpx.TransportError:
                if not self.repeats:
                    raise
                status = 503
            if tuple(seen) == WHOLE:
                self.runs[event["run_id"]] = event["status"]
                return
            if not self.repeats:
                raise RuntimeError(f"/stream: {status} {seen}")
            self.repeated += 1
            await asyncio.sleep(0.1)

    async def _rest_wait(self, http: httpx.AsyncClient) -> None:
        run_id = (await self._post(http, "/v1/runs"))["run_id"]
        self.runs[run_id] = "running"
        answer = await http.get(f"/v1/runs/{run_id}:wait", params={"timeout_s": TIMEOUT_S})
        if answer.status_code != 200:
            raise RuntimeError(f":wait: {answer.status_code} {answer.text}")
        self._ended(answer.json())

    async def _sse_watch(self, http: httpx.AsyncClient) -> None:
        """As a browser's EventSource does: it connects again with the last id whenever the stream ends."""
        run_id = (await self._post(http, "/v1/runs"))["run_id"]
        self.runs[run_id] = "running"
        last, seen = "0", list[str]()
        while "run_completed" not in seen:
            self.resumed += last != "0"
            try:
                async with http.stream("GET", f"/v1/runs/{run_id}/events", headers={"last-event-id": last}) as answer:
                    if answer.status_code != 200:
                        raise RuntimeError(f"/events: {answer.status_code} {await answer.aread()!r}")
                    async for line in answer.aiter_lines():
                        last = line.removeprefix("id: ") if line.startswith("id: ") else last
                        if line.startswith("data: "):
                            seen.append(json.loads(line.removeprefix("data: "))["event_type"])
            except httpx.TransportError:
                await asyncio.sleep(0.1)
        self._whole(run_id, seen)

    async def _grpc_run(self, client: AsyncClient) -> None:
        run = await client.run("why are there tides?")
        self._ended({"run_id": run.run_id, "status": run.status})

    async def _grpc_stream(self, client: AsyncClient) -> None:
        seen = list[str]()
        async with aclosing(client.stream_run("why are there tides?")) as events:
            async for event in events:
                seen.append(event.event_type)
                run_id = event.run_id
                self.runs.setdefault(run_id, "running")
        self._whole(run_id, seen)

    async def _grpc_watch(self, client: AsyncClient) -> None:
        run_id = (await client.create_run("why are there tides?")).run_id
        self.runs[run_id] = "running"
        seen = [event.event_type async for event in client.watch_run(run_id)]
        self._whole(run_id, seen)

    def _whole(self, run_id: str, seen: list[str]) -> None:
        if tuple(seen) != WHOLE:
            raise RuntimeError(f"run {run_id} showed {seen}")
        self.runs[run_id] = "completed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the callers saw, and what the ledger says afterwards."""

    load: Load
    restarts: int
    lost: list[str]
    seconds: float


async def measure(url: str, directory: Path, *, restarts: int, callers: int, number: signal.Signals) -> Outcome:
    """Restarts the servers in turn under load and returns what came of it."""
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
        load = Load(running.url, repeats=number is signal.SIGKILL)
        calling = asyncio.create_task(load.run(callers))
        await load.more(callers)
        for turn in range(restarts):
            await _restart(running, turn % len(running.servers), number)
            await load.more(callers)
        load.stopping = True
        await calling
        lost = await _not_completed(running.url, load)
    return Outcome(load, restarts, lost, time.perf_counter() - begun)


async def _restart(running: Fleet, index: int, number: signal.Signals) -> None:
    server = running.servers[index]
    server.signal(number)
    code = await server.ended()
    if code not in {0, -signal.SIGKILL}:
        raise RuntimeError(f"the server ended with {code}: {server.log[-5:]}")
    await server.start()
    await running.until_healthy(len(running.servers))


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
        f"{outcome.restarts} restarts in {outcome.seconds:.0f} s",
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
    given = parser.parse_args()
    with postgres_cluster() as cluster, tempfile.TemporaryDirectory() as directory:
        work = measure(
            cluster.new_database(),
            Path(directory),
            restarts=given.restarts,
            callers=given.callers,
            number=signal.SIGKILL if given.kill else signal.SIGTERM,
        )
        outcome = asyncio.run(work)
    sys.stdout.write(report(outcome))
    sys.exit(bool(outcome.load.failures or outcome.lost))


if __name__ == "__main__":
    main()
