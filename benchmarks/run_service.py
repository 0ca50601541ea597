"""`Run` of a no-op one-node workflow against a bare grpc.aio echo, and /health beside a load of runs. Ratios of one session.

    python -m benchmarks.run_service [--calls N] [--rounds N]

Client and server share one process and event loop in the first table, as the echo does, so that both pay the same.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import uvloop
from grpc import aio

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest, RunResponse
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc._gen.meshflow.v1.system_service_pb2 import GetHealthRequest
from meshflow_grpc._gen.meshflow.v1.system_service_pb2_grpc import SystemServiceStub
from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.rpc.interceptors.authentication import AnonymousAuthenticator
from meshflow_grpc.rpc.server import GrpcServer, ServerLimits
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.telemetry.logging import configure_logging

NO_OP = "name: noop\nentry: step\nnodes:\n  step: {kind: agent, max_output_tokens: 16, mock: {output: ok}}\n"
Call = Callable[[], Awaitable[Any]]


async def _measure(call: Call, calls: int, in_flight: int) -> tuple[float, float]:
    """Returns (calls a second, CPU microseconds a call)."""

    async def worker(count: int) -> None:
        for _ in range(count):
            await call()

    await worker(20)
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker(calls // in_flight) for _ in range(in_flight)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    done = calls // in_flight * in_flight
    return done / wall, cpu / done * 1e6


async def _echo(calls: int, in_flight: int) -> tuple[float, float]:
    async def handler(request: RunRequest, context: object) -> RunResponse:
        del context
        return RunResponse(run_id="run_x", status="completed", output=request.task)

    method = grpc.unary_unary_rpc_method_handler(
        handler, request_deserializer=RunRequest.FromString, response_serializer=RunResponse.SerializeToString
    )
    server = aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("meshflow.v1.RunService", {"Run": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = RunServiceStub(channel)
        figures = await _measure(lambda: stub.Run(RunRequest(task="ok")), calls, in_flight)
    await server.stop(0)
    return figures


async def _service(calls: int, in_flight: int, *, health: bool = False) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as directory:
        storage = await open_storage(str(Path(directory) / "ledger.db"))
        runtime = assemble(Outside(storage, MockProvider()), RuntimeOptions())
        server = GrpcServer(runtime.commands, runtime.state, AnonymousAuthenticator(), ServerLimits())
        port = await server.start("127.0.0.1:0")
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = RunServiceStub(channel)
            request = RunRequest(task="ok", workflow_yaml=NO_OP)
            if health:
                figures = await _health_beside_load(channel, stub, calls)
            else:
                figures = await _measure(lambda: stub.Run(request), calls, in_flight)
        await server.stop(0)
        await storage.close()
        return figures


async def _health_beside_load(channel: aio.Channel, stub: RunServiceStub, calls: int) -> tuple[float, float]:
    """Returns (p50, p99) of GetHealth in milliseconds, as the client sees it, while 64 two-step runs are in flight."""
    system: Any = SystemServiceStub(channel)
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            await stub.Run(RunRequest(task="why are there tides?"))

    loads = [asyncio.create_task(load()) for _ in range(64)]
    times = []
    for _ in range(calls // 4):
        started = time.perf_counter()
        await system.GetHealth(GetHealthRequest())
        times.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(0.002)
    stop.set()
    await asyncio.gather(*loads)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.99)]


def main() -> None:
    """Prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    configure_logging("warning", "json")
    sys.setswitchinterval(0.0005)
    sys.stdout.write(
        f"{'in flight':>10}{'echo/s':>10}{'Run/s':>10}{'ratio':>8}{'echo us':>10}{'Run us':>10}{'ratio':>8}\n"
    )
    for in_flight in (1, 16, 64):
        echo, run = [], []
        for _ in range(options.rounds):
            echo.append(uvloop.run(_echo(options.calls, in_flight)))
            run.append(uvloop.run(_service(options.calls, in_flight)))
        (e_rate, e_cpu), (r_rate, r_cpu) = (
            [statistics.median(column) for column in zip(*side, strict=True)] for side in (echo, run)
        )
        sys.stdout.write(
            f"{in_flight:>10}{e_rate:>10.0f}{r_rate:>10.0f}{r_rate / e_rate:>8.2f}{e_cpu:>10.0f}{r_cpu:>10.0f}{r_cpu / e_cpu:>8.2f}\n"
        )
    p50, p99 = uvloop.run(_service(options.calls, 64, health=True))
    sys.stdout.write(
        f"GetHealth beside 64 runs in flight, client and server in one process: p50 {p50:.2f} ms, p99 {p99:.2f} ms\n"
    )


if __name__ == "__main__":
    main()
