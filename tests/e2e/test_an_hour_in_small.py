"""A long time of mixed traffic in little: what a server holds of the machine stays as it is, and nothing is left running."""

from __future__ import annotations

import asyncio
import gc
import itertools
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from grpc import aio

from meshflow_grpc._gen.meshflow.v1.run_pb2 import RunRequest
from meshflow_grpc._gen.meshflow.v1.run_service_pb2_grpc import RunServiceStub
from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.domain.conversation import ConversationBounds
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.rpc.interceptors.authentication import AnonymousAuthenticator
from meshflow_grpc.rpc.server import GrpcServer, ServerLimits
from meshflow_grpc.storage.factory import open_storage
from tests.e2e.process_use import used_by

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import MeshflowServer, StartServer
    from tests.e2e.process_use import ProcessUse

MIB = 2**20
ANYONE = Principal("anyone", "default")
WORKERS = 8
ROUNDS_WARM = 40
ROUNDS = 60


async def visit(client: httpx.AsyncClient, number: int) -> None:
    """One client's round: a run of a session, a stream read to its end, one left early, a watch, a refusal, a cancellation."""
    run = (await client.post("/run", json={"task": f"task {number}", "session_id": f"s{number % 7}"})).json()
    assert run["status"] == "completed"
    async with client.stream("POST", "/stream", json={"task": "all of it"}) as answer:
        assert "run_completed" in "".join([line async for line in answer.aiter_lines()])
    async with client.stream("POST", "/stream", json={"task": "left early"}) as answer:
        await anext(answer.aiter_lines())
    async with client.stream("GET", f"/v1/runs/{run['run_id']}/events") as answer:
        assert "run_completed" in "".join([line async for line in answer.aiter_lines()])
    assert (await client.post("/run", json={"tsk": "typo"})).status_code == 400
    started = (await client.post("/v1/runs", json={"task": "to be cancelled"})).json()
    ended = (await client.post(f"/v1/runs/{started['run_id']}:cancel", json={})).json()
    assert ended["status"] in ("cancelled", "completed")


async def visits(server: MeshflowServer, rounds: Iterator[int], count: int) -> ProcessUse:
    """Many of them at once, each on connections of its own; returns what is held afterwards."""
    numbers = list(itertools.islice(rounds, count))

    async def worker(part: list[int]) -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            for number in part:
                await visit(client, number)

    await asyncio.gather(*(worker(numbers[start::WORKERS]) for start in range(WORKERS)))
    return used_by(server)


@pytest.mark.slow
async def test_memory_files_and_threads_stay_flat(start_server: StartServer, tmp_path: Path) -> None:
    """Between a server that is warm and one that has done as much again and half."""
    server = await asyncio.to_thread(start_server, tmp_path)
    rounds = itertools.count()
    warm = await visits(server, rounds, ROUNDS_WARM)

    after = await visits(server, rounds, ROUNDS)

    assert after.memory - warm.memory < 16 * MIB
    assert after.files <= warm.files + 2 * WORKERS
    assert after.threads <= warm.threads + 2


async def test_no_task_and_no_object_is_left_of_a_call(tmp_path: Path) -> None:
    """Two hundred runs, watched, abandoned and cancelled, leave no task behind and fewer than two objects each."""
    storage = await open_storage(str(tmp_path / "ledger.db"))
    # What sessions were told is held on purpose, in bounded space.
    runtime = assemble(Outside(storage, MockProvider()), RuntimeOptions(conversation=ConversationBounds(turns=0)))
    server = GrpcServer(runtime.commands, runtime.state, AnonymousAuthenticator(), ServerLimits())
    port = await server.start("127.0.0.1:0")
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = RunServiceStub(channel)

        async def call(number: int) -> None:
            await stub.Run(RunRequest(task="x", session_id="s"))
            stream = stub.StreamRun(RunRequest(task="y"))
            await stream.read()
            if number % 2:
                stream.cancel()
            else:
                while await stream.read() is not aio.EOF:
                    pass

        async def calls(count: int) -> tuple[int, int]:
            for number in range(count):
                await call(number)
            async with asyncio.timeout(60):
                while runtime.engine.in_flight:
                    await runtime.commands.list_runs.execute(ANYONE, page_size=1, page_token="", status="", workflow="")
            gc.collect()
            return len(asyncio.all_tasks()), len(gc.get_objects())

        await calls(30)
        tasks, objects = await calls(30)
        tasks_after, objects_after = await calls(100)

    await server.stop(0)
    await storage.close()
    assert tasks_after <= tasks
    assert objects_after - objects < 2 * 200
    assert runtime.engine.active_runs == ()
    assert runtime.hub._by_run == {}
