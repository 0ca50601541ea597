"""Plays a scenario: a workflow, its input, what people do meanwhile, and every entry and event that must come of it.

``python -m tests.scenarios.player FILE`` prints the trace of a file, for whoever writes one.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
import yaml

from meshflow_grpc.app import Outside, Runtime, RuntimeOptions, assemble
from meshflow_grpc.domain.approval import ApprovalStatus, Decision
from meshflow_grpc.domain.event import EventType, RunEvent
from meshflow_grpc.domain.ledger_entry import LedgerEntry
from meshflow_grpc.domain.run import EventView, Principal, Run, RunRequest, RunStatus
from meshflow_grpc.engine.events import output_text
from meshflow_grpc.governance.detection.scanner import TextScanner
from meshflow_grpc.governance.policy_fields import parse_policy_fields
from meshflow_grpc.ledger.verify import ChainVerifier
from meshflow_grpc.ports.clock import IdSource
from meshflow_grpc.ports.dispatch import RunDispatch
from meshflow_grpc.ports.mesh import MeshAccess
from meshflow_grpc.providers.mock import MockProvider
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.clock import FakeClock
from tests.fakes.ids import SequentialIds
from tests.fakes.peers import GONE, LOST, SILENT, Behaviour, FakeMesh, answer, mesh_node
from tests.fakes.tools import Application

ANA = Principal("ana", "acme", method="test")
BOB = Principal("bob", "acme", method="test")
SCANNER = TextScanner()
SECTIONS = ("workflow", "input", "peers", "do", "trace")


@dataclass
class Scenario:
    """A file, by its sections."""

    sections: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Scenario:
        """Splits at the lines ``== NAME``; what is before the first is a comment."""
        made, current = cls(), None
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("== "):
                current = line.removeprefix("== ")
                assert current in SECTIONS, f"{file.name}: there is no section {current!r}"
                made.sections[current] = []
            elif current is not None:
                made.sections[current].append(line)
        return made

    def text(self, name: str) -> str:
        """A section as text."""
        return "\n".join(self.sections.get(name, ()))

    def request(self) -> RunRequest:
        """The run asked for."""
        fields: dict[str, Any] = {"task": "t", **(yaml.safe_load(self.text("input")) or {})}
        policy = parse_policy_fields(fields.pop("policy", {}))
        return RunRequest(workflow_yaml=self.text("workflow"), policy=policy, **fields)

    def mesh(self) -> FakeMesh:
        """The peers and what each does when it is called, one after another."""
        script = yaml.safe_load(self.text("peers")) or {}
        made = FakeMesh([mesh_node(slug) for slug in script])
        made.script = {slug: [_behaviour(each) for each in told] for slug, told in script.items()}
        return made


def _behaviour(told: str | dict[str, str]) -> Behaviour:
    """``gone``, ``lost``, ``silent``, an output, or a status and why."""
    if isinstance(told, dict):
        ((status, why),) = told.items()
        return answer("", RunStatus(status), reason=why)
    return {"gone": GONE, "lost": LOST, "silent": SILENT}.get(told) or answer(told)


@dataclass
class Stage:
    """A runtime with a clock of its own."""

    clock: FakeClock = field(default_factory=FakeClock)
    app: Application = field(default_factory=Application)
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    mesh: FakeMesh = field(default_factory=FakeMesh)

    async def begin(self) -> Runtime:
        """Starts a runtime; called again it plays a restart."""
        return self.runtime()

    async def end(self) -> None:
        """Ends it, when all is played."""

    def ids(self) -> IdSource:
        """Where run ids come from."""
        return SequentialIds()

    def runtime(self, dispatch: RunDispatch | None = None) -> Runtime:
        """Puts one together."""
        outside = Outside(
            self.storage,
            MockProvider(),
            self.clock,
            self.ids(),
            SCANNER,
            lambda: 0.0,
            tools=self.app.registry(),
            peers=MeshAccess(self.mesh, self.mesh),
            dispatch=dispatch,
        )
        return assemble(outside, RuntimeOptions())


async def play(scenario: Scenario, stage: Stage | None = None) -> list[str]:
    """Returns the trace, line by line."""
    stage = stage or Stage()
    stage.mesh = scenario.mesh()
    try:
        return await _played(scenario, stage)
    finally:
        await stage.end()


async def _played(scenario: Scenario, stage: Stage) -> list[str]:
    runtime = await stage.begin()
    created = await runtime.commands.create_run.execute(ANA, scenario.request())
    for line in scenario.sections.get("do", ()):
        if line.strip():
            runtime = await _do(stage, runtime, created.run_id, line.split())
    run = await _still(runtime, created.run_id)
    entries = await stage.storage.entries("acme", run.run_id)
    events = {event.sequence: event for event in await _events(runtime, run)}
    lines: list[str] = []
    for entry in entries:
        lines.append(_entry_line(entry))
        if entry.sequence in events:
            lines.append(_event_line(events.pop(entry.sequence)))
    assert not events, "an event without an entry"
    effects = f" effects={stage.app.effects}" if stage.app.effects else ""
    return [*lines, f"{run.status.value}{_shown(run.output)}{effects} chain={await _verified(stage, run)}"]


async def _still(runtime: Runtime, run_id: str) -> Run:
    return await runtime.commands.wait_run.execute(ANA, run_id, timeout_s=20)


async def _do(stage: Stage, runtime: Runtime, run_id: str, words: list[str]) -> Runtime:
    verb, *rest = words
    if verb in ("approve", "reject"):
        run = await _still(runtime, run_id)
        asked = [a for a in await runtime.gates.of_run(run) if a.status is ApprovalStatus.PENDING]
        chosen = next(a for a in asked if a.node_id == rest[0])
        await runtime.commands.decide_approval.execute(
            BOB, chosen.approval_id, decision=Decision(verb), comment=" ".join(rest[1:])
        )
    elif verb == "wait":
        await _still(runtime, run_id)
        stage.clock.advance(float(rest[0]))
        await runtime.expiry.expire()
    elif verb == "cancel":
        if any(SILENT in told for told in stage.mesh.script.values()):
            await stage.mesh.silent.wait()
        elif rest:
            await _started(runtime, run_id, rest[0])
        else:
            await _still(runtime, run_id)
        await runtime.commands.cancel_run.execute(ANA, run_id, reason="enough")
    elif verb == "restart":
        await _still(runtime, run_id)
        runtime = await stage.begin()
        await runtime.engine.recover()
    else:
        raise AssertionError(f"cannot do {words}")
    return runtime


async def _started(runtime: Runtime, run_id: str, node_id: str) -> None:
    """Waits until a node is under way."""
    with runtime.hub.subscribe(run_id, EventView.FULL) as subscription:
        while True:
            while subscription.items:
                item = subscription.items.popleft()
                if isinstance(item, RunEvent) and item.event_type is EventType.NODE_STARTED and item.node_id == node_id:
                    return
            await subscription.wait(10)


async def _events(runtime: Runtime, run: Run) -> list[RunEvent]:
    """All that a watcher is shown who comes now."""
    found: list[RunEvent] = []
    async for event in runtime.commands.watch_run.execute(ANA, run.run_id, after_sequence=0, view=EventView.FULL):
        if event.sequence is not None:
            found.append(event)
        if not run.status.ended and event.event_type is EventType.GATE_PAUSED and event.sequence == run.entries:
            break
    return found


async def _verified(stage: Stage, run: Run) -> str:
    verifier = ChainVerifier(run.run_id)
    async with stage.storage.raw_chain("acme", run.run_id) as chain:
        async for page in chain.pages:
            verifier.add(page)
        return "valid" if verifier.finish(chain.run) else "broken"


def _shown(text: str | None) -> str:
    return "" if not text else f' "{text}"'


def _entry_line(entry: LedgerEntry) -> str:
    facts: dict[str, Any] = dict(entry.facts)
    words = [str(entry.sequence), entry.kind.value, entry.step_id]
    words += [
        f"{name}={facts[name]}"
        for name in ("tool", "function", "risk", "decision", "reviewer", "status")
        if facts.get(name)
    ]
    if "peer" in facts:
        words.append(
            f"peer={facts['peer']['slug']}" + (f"/{status}" if (status := facts["peer"].get("status")) else "")
        )
    words += [f"{name}={facts[name]}" for name in ("iteration", "max") if entry.kind.value == "loop_iterated"]
    words += [f"{d['decision']}:{d['stage']}({d['reason']})" for d in facts.get("stages", ()) if "reason" in d]
    if facts.get("attempts", 1) != 1:
        words.append(f"attempts={facts['attempts']}")
    if facts.get("labels") and isinstance(facts["labels"], list):
        words.append(f"labels={','.join(facts['labels'])}")
    if facts.get("exhausted"):
        words.append("exhausted")
    if entry.kind.value == "run_paused":
        words.append("for " + ", ".join(asked["node_id"] for asked in facts["approvals"]))
    return " ".join(word for word in words if word) + _shown(output_text(entry.output))


def _event_line(event: RunEvent) -> str:
    words = ["  >", event.event_type.value, event.node_id or "", event.status or "", event.blocked_by or ""]
    if event.loop_edge:
        words.append(f"{event.loop_edge} {event.loop_iteration} of {event.loop_max}")
    if event.reason:
        words.append(f"because: {event.reason}")
    return " ".join(word for word in words if word) + _shown(event.output)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for name in sys.argv[1:]:
        for each in asyncio.run(play(Scenario.read(Path(name)))):
            sys.stdout.write(each + "\n")
