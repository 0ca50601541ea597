"""Runs one workflow again and again, each time killed one await point later, and says what was left each time.

Arguments: a directory, and the first, last and stride of the await points. Every attempt is a fork of this process, so that only the
run itself is repeated. One line of JSON per await point is written to stdout; the last line has the number of points of a whole run.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import jsonschema  # noqa: F401 - with the first schema; here before the forks, which would each load it
import structlog

from meshflow_grpc import Registry, ToolContext, tool
from meshflow_grpc.app import Outside, RuntimeOptions, assemble
from meshflow_grpc.domain.approval import ApprovalStatus, Decision
from meshflow_grpc.domain.ledger_entry import LedgerEntry
from meshflow_grpc.domain.run import Principal, RunRequest, RunStatus
from meshflow_grpc.engine.gates import Review
from meshflow_grpc.governance.detection.scanner import TextScanner
from meshflow_grpc.ports.provider import ModelReply, ModelRequest, Price, ToolCall
from meshflow_grpc.storage.factory import open_storage
from meshflow_grpc.storage.sqlite import transaction

ALICE = Principal("alice", "acme", method="test")
BOB = Principal("bob", "acme", method="test")
SCANNER = TextScanner()
WORKFLOW = """
name: killed
entry: buyer
nodes:
  buyer: {role: EXECUTOR, tools: [look, order, pay]}
  left: {kind: tool, tool: order, arguments: {item: left}}
  right: {kind: python, ref: join}
  gate: {kind: human, prompt: Pay?}
  payer: {kind: tool, tool: pay, arguments: {amount: "2"}}
  critic: {role: CRITIC}
edges:
  - buyer -> left
  - buyer -> right
  - left -> gate
  - right -> gate
  - gate -> payer
  - payer -> critic
  - {from: critic, to: critic, condition: "iteration < 2", max_iterations: 1}
"""


class Countdown:
    """Kills the process at the given point; counts all points, of tasks and of the writer's thread."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._lock = threading.Lock()
        self.passed = 0

    def tick(self) -> None:
        """One await point."""
        with self._lock:
            self.passed += 1
            if self.passed == self._left:
                os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, coroutine: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        """The same coroutine, counted each time it goes on."""
        return _Counted(coroutine, self.tick)


class _Counted(Coroutine[Any, Any, Any]):
    def __init__(self, inner: Coroutine[Any, Any, Any], tick: Callable[[], None]) -> None:
        self._inner = inner
        self._tick = tick

    def send(self, value: Any) -> Any:
        self._tick()
        return self._inner.send(value)

    def throw(self, *error: Any) -> Any:
        self._tick()
        return self._inner.throw(*error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()


class Buyer:
    """Looks, orders and pays in one turn, then answers; every other agent answers at once."""

    name = "scripted"
    default_model = "scripted-1"

    def price(self, model: str) -> Price:
        """One nano-USD a token."""
        del model
        return Price(1, 1)

    def max_input_tokens(self, text: str) -> int:
        """One token a character."""
        return len(text)

    async def complete(self, request: ModelRequest, on_delta: object = None) -> ModelReply:
        """Answers after the loop went round once."""
        del on_delta
        await asyncio.sleep(0)
        calls: tuple[ToolCall, ...] = ()
        if request.agent_id == "buyer" and not request.turns:
            calls = (
                ToolCall("1", "look", {}),
                ToolCall("2", "order", {"item": "agent"}),
                ToolCall("3", "pay", {"amount": "1"}),
            )
        return ModelReply(f"{request.agent_id} done", request.model, 10, 10, calls=calls)

    async def close(self) -> None:
        """Nothing to release."""


def registry(directory: Path) -> Registry:
    """Tools whose effects are lines of a file, synced before they return."""

    async def act(line: str) -> str:
        await asyncio.sleep(0)
        _append(directory / "effects", line)
        await asyncio.sleep(0)
        return "done"

    @tool(risk="read_only", labels=())
    async def look() -> str:
        """Looks."""
        return await act("look")

    @tool(risk="external_io", labels=(), idempotent=True)
    async def order(item: str, context: ToolContext) -> str:
        """Orders, once per key."""
        return await act(f"order {item} {context.idempotency_key}")

    @tool(risk="irreversible", labels=())
    async def pay(amount: str) -> str:
        """Pays."""
        return await act(f"pay {amount}")

    made = Registry(look, order, pay)

    @made.function("join")
    async def join(data: dict[str, object]) -> str:
        await asyncio.sleep(0)
        return "joined"

    return made


def _append(file: Path, line: str) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write(f"{line}\n")
        opened.flush()
        os.fsync(opened.fileno())


async def drive(directory: Path) -> None:
    """Does all that a server and its users do, from wherever the last process died, until the run has ended."""
    storage = await open_storage(str(directory / "ledger.db"))
    outside = Outside(storage, Buyer(), scanner=SCANNER, jitter=lambda: 0.0, tools=registry(directory))
    runtime = assemble(outside, RuntimeOptions())

    def acknowledged(entry: LedgerEntry) -> None:
        _append(directory / "acknowledged", entry.hash)

    runtime.hub.listen(acknowledged)
    await runtime.engine.recover()
    request = RunRequest(task="buy", workflow_yaml=WORKFLOW, request_id="once")
    run = await runtime.commands.run.execute(ALICE, request)
    while not run.status.ended:
        if run.status is RunStatus.PAUSED:
            for approval in await runtime.gates.of_run(run):
                if approval.status is ApprovalStatus.PENDING:
                    await runtime.gates.decide("acme", approval.approval_id, Review(Decision.APPROVE, BOB))
        run = await runtime.commands.wait_run.execute(ALICE, run.run_id, timeout_s=20)
    await storage.close()


def attempt(directory: Path, kill_at: int) -> tuple[bool, int]:
    """Forks and drives; returns whether it was killed, and how many points it passed when it was not."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        countdown = Countdown(kill_at)
        write = transaction.BatchWriter.write

        def counted_write(self: Any, commands: Any) -> Any:
            countdown.tick()
            outcomes = write(self, commands)
            countdown.tick()
            return outcomes

        transaction.BatchWriter.write = counted_write  # type: ignore[method-assign]
        loop = asyncio.new_event_loop()
        loop.set_task_factory(lambda own, coro, **options: asyncio.Task(countdown.wrap(coro), loop=own, **options))  # type: ignore[arg-type]
        try:
            loop.run_until_complete(drive(directory))
            os.write(writer, str(countdown.passed).encode())
        except BaseException:  # noqa: BLE001 - the child must end here, whatever happened
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        passed = int(pipe.read() or b"0")
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status):
        sys.exit(f"the run killed at {kill_at} did not go on")
    return os.WIFSIGNALED(status), passed


def left_behind(directory: Path) -> dict[str, Any]:
    """What an auditor finds: the run, its chain, its entries, the effects, and what had been acknowledged."""

    async def read() -> dict[str, Any]:
        from meshflow_grpc import ReplayLedger

        ledger = ReplayLedger(str(directory / "ledger.db"), tenant_id="acme")
        runs = await ledger.list_runs()
        entries = await ledger.get_run(runs[0])
        return {
            "runs": len(runs),
            "status": (await ledger.run_summary(runs[0]))["status"],
            "valid": bool(await ledger.verify_chain(runs[0])),
            "committed": [e.step_id for e in entries if e.kind.value == "step_committed"],
            "in_doubt": [e.step_id for e in entries if e.facts.get("reason") == "IN_DOUBT"],
            "hashes": [e.hash for e in entries],
        }

    found = asyncio.run(read())
    hashes = set(found.pop("hashes"))
    acknowledged = (directory / "acknowledged").read_text().split()
    return {
        **found,
        "lost": sum(each not in hashes for each in acknowledged),
        "effects": (directory / "effects").read_text().splitlines(),
    }


def main(base: Path, first: int, last: int, stride: int) -> None:
    """Kills at every await point asked for; the process after it is killed too, half as far."""
    whole = base / "whole"
    whole.mkdir()
    _, points = attempt(whole, 0)
    for kill_at in range(first, min(last, points) + 1, stride):
        directory = base / str(kill_at)
        directory.mkdir()
        killed = sum(attempt(directory, at)[0] for at in (kill_at, max(1, kill_at // 2)))
        ended, _ = attempt(directory, 0)
        sys.stdout.write(
            json.dumps({"at": kill_at, "kills": killed, "ended": not ended, **left_behind(directory)}) + "\n"
        )
        shutil.rmtree(directory)
    sys.stdout.write(json.dumps({"points": points}) + "\n")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
