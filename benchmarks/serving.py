"""The whole server, process to process: calls a second, latency and CPU, directly and through Envoy, against a bare gRPC echo.

    python -m benchmarks.serving [--calls N] [--in-flight N] [--rounds N] [--streams N] [--original PYTHON]

Rows of one round follow each other; ratios are to the echo (gRPC) in the same round. ``--original`` names an interpreter that has the
original's package (meshflow on the package index), whose HTTP server is measured beside ours. It runs its own team of four agents
whatever it is asked, so ours is compared with it by runs of four (``x4``). The client is one process; its cost is not in the CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import uvloop
from grpc import aio

from benchmarks.served import Served, echo, meshflow, original
from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2 import WatchRunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc._gen.meshflow.v1.system_service_pb2 import GetHealthRequest
from meshflow_grpc._gen.meshflow.v1.system_service_pb2_grpc import SystemServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ONE_STEP = (
    "name: one\nnodes:\n  step: {kind: agent, max_output_tokens: 16, mock: {output: ok}}\nedges: [START -> step]\n"
)
FOUR_STEPS = (
    "name: four\nnodes:\n"
    + "".join(f"  step{n}: {{kind: agent, max_output_tokens: 16, mock: {{output: ok}}}}\n" for n in range(4))
    + "edges: [START -> step0, step0 -> step1, step1 -> step2, step2 -> step3]\n"
)
RUN_OF_4, STREAM_OF_4 = "Run x4", "StreamRun x4"
AGENT_MS = 100
Call = Callable[[], Awaitable[object]]


class HttpClient:
    """HTTP/1.1 on one connection that stays open, as little client as possible."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Returns the body; raises RuntimeError for another status than 200."""
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in answer[:20]:
            raise RuntimeError(answer.decode())
        if b"transfer-encoding: chunked" in answer:
            return await self._chunks()
        length = int(answer.partition(b"content-length:")[2].split(b"\r\n")[0])
        return await self._reader.readexactly(length)

    async def _chunks(self) -> bytes:
        found = b""
        while size := int(await self._reader.readline(), 16):
            found += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()
        return found


async def measured(server: Served, calls: list[Call], count: int) -> tuple[float, float, float, float]:
    """Returns calls a second, p50 and p99 in ms, and CPU microseconds of the server a call; as many at once as ``calls`` has."""
    times: list[float] = []

    async def worker(call: Call, number: int) -> None:
        for _ in range(number):
            started = time.perf_counter()
            await call()
            times.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*(worker(call, 5) for call in calls))
    times.clear()
    cpu, started = server.cpu_s(), time.perf_counter()
    await asyncio.gather(*(worker(call, count // len(calls)) for call in calls))
    wall, cpu = time.perf_counter() - started, server.cpu_s() - cpu
    times.sort()
    return len(times) / wall, times[len(times) // 2], times[int(len(times) * 0.99)], cpu / len(times) * 1e6


@asynccontextmanager
async def grpc_calls(target: str, in_flight: int) -> AsyncIterator[dict[str, list[Call]]]:
    """Unary and streamed calls, all on one channel."""
    async with aio.insecure_channel(target) as channel:
        runs: Any = RunServiceStub(channel)
        system: Any = SystemServiceStub(channel)
        one, four = (RunRequest(task="ok", workflow_yaml=text) for text in (ONE_STEP, FOUR_STEPS))

        async def stream(request: RunRequest) -> None:
            async for _ in runs.StreamRun(request):
                pass

        yield {
            "health": [lambda: system.GetHealth(GetHealthRequest())] * in_flight,
            "Run": [lambda: runs.Run(one)] * in_flight,
            "StreamRun": [lambda: stream(one)] * in_flight,
            RUN_OF_4: [lambda: runs.Run(four)] * in_flight,
            STREAM_OF_4: [lambda: stream(four)] * in_flight,
        }


@asynccontextmanager
async def http_calls(url: str, in_flight: int, *, own: bool) -> AsyncIterator[dict[str, list[Call]]]:
    """JSON calls, each worker on a connection of its own; the original does not know workflows."""
    parts = urlsplit(url)
    pairs = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(in_flight)]
    clients = [HttpClient(*pair) for pair in pairs]
    theirs, one, four = (
        json.dumps({"task": "ok", **workflow}).encode()
        for workflow in ({}, {"workflow_yaml": ONE_STEP}, {"workflow_yaml": FOUR_STEPS})
    )

    def each(method: str, path: str, sent: bytes = b"") -> list[Call]:
        return [lambda client=client: client.call(method, path, sent) for client in clients]  # type: ignore[misc]

    found = {"health": each("GET", "/health")}
    if own:
        found |= {"Run": each("POST", "/run", one), "StreamRun": each("POST", "/stream", one)}
    body = four if own else theirs
    yield {**found, RUN_OF_4: each("POST", "/run", body), STREAM_OF_4: each("POST", "/stream", body)}
    for _, writer in pairs:
        writer.close()


async def one_round(options: argparse.Namespace) -> dict[tuple[str, str], tuple[float, ...]]:
    """Every row once, the servers alive all the time."""
    rows: dict[tuple[str, str], tuple[float, ...]] = {}
    async with AsyncExitStack() as stack:
        bare, ours = await stack.enter_async_context(echo()), await stack.enter_async_context(meshflow())
        envoy = ours.http.removeprefix("http://")
        faces: list[tuple[str, Served, Any]] = [
            ("echo, gRPC", bare, grpc_calls(bare.grpc, options.in_flight)),
            ("direct, gRPC", ours, grpc_calls(ours.grpc, options.in_flight)),
            ("Envoy, gRPC", ours, grpc_calls(envoy, options.in_flight)),
            ("Envoy, REST", ours, http_calls(ours.http, options.in_flight, own=True)),
        ]
        if options.original:
            theirs = await stack.enter_async_context(original(options.original))
            faces.append(("original, REST", theirs, http_calls(theirs.http, options.in_flight, own=False)))
        for name, server, opened in faces:
            async with opened as calls:
                for what, each in calls.items():
                    if what in (RUN_OF_4, STREAM_OF_4) and not options.original:
                        continue
                    rows[what, name] = await measured(server, each, options.calls)
    return rows


async def open_streams(count: int) -> str:
    """Watchers of one run, through Envoy: memory a stream, and how old an event is when a watcher has it."""
    ages: list[float] = []
    async with meshflow(MESHFLOW_MOCK_LATENCY_MS="3000") as server, AsyncExitStack() as stack:
        target = server.http.removeprefix("http://")
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [await stack.enter_async_context(aio.insecure_channel(target, options)) for _ in range(10)]
        stubs: list[Any] = [RunServiceStub(channel) for channel in channels]
        run = await stubs[0].CreateRun(RunRequest(task="tides"))
        before, opened = server.memory_kb(), asyncio.Semaphore(0)

        async def watch(number: int) -> None:
            async for event in stubs[number % len(stubs)].WatchRun(WatchRunRequest(run_id=run.run_id)):
                if event.sequence == 1:
                    opened.release()
                else:
                    ages.append((time.time() - datetime.fromisoformat(event.time.ToJsonString()).timestamp()) * 1000)

        watchers = [asyncio.create_task(watch(number)) for number in range(count)]
        for _ in range(count):
            await opened.acquire()
        after = server.memory_kb()
        await asyncio.gather(*watchers)
    ages.sort()
    own, proxy = ((late - early) / count for early, late in zip(before, after, strict=True))
    return (
        f"{count} open streams through Envoy: {own:.1f} kB of the server and {proxy:.1f} kB of Envoy each; an event is with a watcher "
        f"after p50 {ages[len(ages) // 2]:.1f} ms, p99 {ages[int(len(ages) * 0.99)]:.1f} ms ({len(ages)} events)"
    )


async def side_by_side(count: int, rounds: int) -> str:
    """Runs of two agents that take as long as they do alone."""
    async with meshflow(MESHFLOW_MOCK_LATENCY_MS=str(AGENT_MS)) as server, aio.insecure_channel(server.grpc) as channel:
        runs: Any = RunServiceStub(channel)

        async def took(at_once: int) -> float:
            started = time.perf_counter()
            await asyncio.gather(*(runs.Run(RunRequest(task="tides")) for _ in range(at_once)))
            return (time.perf_counter() - started) * 1000

        await took(count)
        pairs = [(await took(1), await took(count)) for _ in range(rounds)]
    alone, together = (statistics.median(column) for column in zip(*pairs, strict=True))
    return (
        f"{count} runs of {2 * AGENT_MS} ms at once take {together:.0f} ms, one {alone:.0f} ms: {together / alone:.2f}x"
    )


def main() -> None:
    """Prints the table and the two figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--original", default="", metavar="PYTHON")
    options = parser.parse_args()
    rounds = [uvloop.run(one_round(options)) for _ in range(options.rounds)]
    write = sys.stdout.write
    write(
        f"{'call':<14}{'face':<16}{'calls/s':>9}{'of echo':>9}{'p50 ms':>8}{'p99 ms':>8}{'CPU us':>8}{'of echo':>9}\n"
    )
    for what, name in sorted(rounds[0], key=lambda row: row[0].lower()):
        rate, p50, p99, cpu = (
            statistics.median(column) for column in zip(*(r[what, name] for r in rounds), strict=True)
        )
        rates = statistics.median(r[what, name][0] / r[what, "echo, gRPC"][0] for r in rounds)
        cpus = statistics.median(r[what, name][3] / r[what, "echo, gRPC"][3] for r in rounds)
        write(f"{what:<14}{name:<16}{rate:>9.0f}{rates:>9.2f}{p50:>8.2f}{p99:>8.2f}{cpu:>8.0f}{cpus:>9.2f}\n")
    write(uvloop.run(open_streams(options.streams)) + "\n")
    write(uvloop.run(side_by_side(10, 2 * options.rounds + 1)) + "\n")


if __name__ == "__main__":
    main()
