"""This engine as a peer of the harness that compares engines; the harness is given this folder's parent by PYTHONPATH.

Backends: ``sqlite``, ``postgres`` and ``memory`` are the runtime in the harness's process; with ``+grpc`` it is `meshflow serve` behind
gRPC, a unary call a run, and with ``+stream`` that with every event delivered.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.agents import Agents
from benchmarks.capstone import STEP_RATE_PER_S, STEPS, TASK, chain, workflow
from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.app.interpreter import run_as_server
from meshflow_grpc.domain.run import Principal, RunRequest
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.telemetry.logging import configure_logging

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue

ASKER = Principal("bench", "bench", method="bench")
APPROVER = Principal("approver", "bench", method="bench")
MAX_RUNS = 4096
STATUS_AFTER = {"run_completed": "completed", "gate_paused": "paused"}
LONG: dict[str, JsonValue] = {"max_steps": 100_000, "budget_tokens": 10**9, "budget_usd": 10**6, "timeout_s": 3600.0}


class Ended(NamedTuple):
    """What is looked at in a run that ended or pauses."""

    run_id: str
    status: str


class InProcess:
    """The runtime and its ledger in this process."""

    def __init__(self, ledger: str, stack: AsyncExitStack) -> None:
        self._ledger, self._stack = ledger, stack

    async def open(self) -> None:
        """Opens the ledger."""
        configure_logging("error", "json")
        storage = await open_storage(self._ledger)
        self._stack.push_async_callback(storage.close)
        options = RuntimeOptions(max_in_flight=MAX_RUNS, step_rate_per_s=STEP_RATE_PER_S)
        self._commands = assemble(Outside(storage, Agents()), options).commands
        self._stack.enter_context(run_as_server())

    async def run(self, text: str, task: str, policy: Mapping[str, JsonValue]) -> Ended:
        """One run, until it ends or pauses."""
        run = await self._commands.run.execute(ASKER, RunRequest(task=task, workflow_yaml=text, policy=policy))
        return Ended(run.run_id, run.status)

    async def approve(self, run_id: str) -> Ended:
        """Approves what the run waits for, and waits for its end."""
        paused = await self._commands.get_run.execute(ASKER, run_id)
        assert paused.pending_approval is not None
        waits_for = paused.pending_approval.approval_id
        await self._commands.decide_approval.execute(APPROVER, waits_for, decision="approve")
        run = await self._commands.wait_run.execute(ASKER, run_id, timeout_s=60)
        return Ended(run_id, run.status)

    def pids(self) -> list[int]:
        """No other process."""
        return []


class Behind:
    """A server on loopback, without Envoy."""

    def __init__(self, stack: AsyncExitStack, settings: dict[str, str], *, stream: bool) -> None:
        self._stack, self._settings, self._stream = stack, settings, stream

    async def open(self) -> None:
        """Starts the server."""
        from benchmarks.served import meshflow
        from meshflow_grpc.client import AsyncClient

        server = await self._stack.enter_async_context(meshflow("--no-envoy", **self._settings))
        self._server = server
        self._client = await self._stack.enter_async_context(AsyncClient(server.grpc))

    async def run(self, text: str, task: str, policy: Mapping[str, JsonValue]) -> Ended:
        """One run, until it ends or pauses."""
        if not self._stream:
            run = await self._client.run(task, workflow_yaml=text, policy=policy)
            return Ended(run.run_id, run.status)
        async for event in self._client.stream_run(task, workflow_yaml=text, policy=policy):
            last = event
        return Ended(last.run_id, STATUS_AFTER[last.event_type])

    async def approve(self, run_id: str) -> Ended:
        """Approves what the run waits for, and waits for its end."""
        paused = await self._client.get_run(run_id)
        await self._client.decide_approval(paused.pending_approval.approval_id, "approve")
        run = await self._client.wait_run(run_id)
        return Ended(run_id, run.status)

    def pids(self) -> list[int]:
        """The server."""
        return [self._server.pid]


class Peer:
    """What the harness asks of every engine."""

    BACKENDS = ("sqlite", "postgres", "memory", "sqlite+grpc", "sqlite+stream", "postgres+grpc")
    steps, levels = STEPS, 7
    owns_server = True

    async def start(self, directory: str, backend: str, environment: Mapping[str, str]) -> None:
        """Opens the ledger in ``directory``, or in the database ``BENCH_PG`` names."""
        kind, _, option = backend.partition("+")
        self._stack, self._parked = AsyncExitStack(), dict[str, str]()
        ledger = environment["BENCH_PG"] if kind == "postgres" else str(Path(directory) / "ledger.db")
        if option:
            settings = {"MESHFLOW_DATA_DIR": directory, "MESHFLOW_LEDGER_DB": ledger, "MESHFLOW_LOG_LEVEL": "info"}
            settings |= {"MESHFLOW_MAX_IN_FLIGHT_RUNS": str(MAX_RUNS), "MESHFLOW_STEP_RATE_PER_S": str(STEP_RATE_PER_S)}
            self._face: InProcess | Behind = Behind(self._stack, settings, stream=option == "stream")
        else:
            self._face = InProcess("memory:" if kind == "memory" else ledger, self._stack)
        await self._face.open()

    async def run(self, run_id: str, sleep_s: float) -> None:
        """One run of the workload; the engine names runs itself."""
        del run_id
        ended = await self._face.run(workflow(sleep_s * 1000), TASK, {})
        assert ended.status == "completed", ended

    async def chain(self, run_id: str, steps: int, size: int) -> None:
        """Agents in a line, each given the task of ``size`` bytes and the answer of the one before."""
        del run_id
        ended = await self._face.run(chain(steps), "x" * size, LONG)
        assert ended.status == "completed", ended

    async def park(self, run_id: str) -> None:
        """A run that waits for a human."""
        paused = await self._face.run(workflow(human=True), TASK, {})
        assert paused.status == "paused", paused
        self._parked[run_id] = paused.run_id

    async def unpark(self, run_id: str) -> None:
        """Approves, and waits for the end."""
        ended = await self._face.approve(self._parked[run_id])
        assert ended.status == "completed", ended

    def pids(self) -> list[int]:
        """Processes beside this one."""
        return self._face.pids()

    async def stop(self) -> None:
        """Closes what was opened."""
        await self._stack.aclose()
