"""A run that completes is ended by the append of its last step: nobody ever sees the one without the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import CancelReason, RunRequest, RunStatus
from meshflow_grpc.engine import engine as engine_module
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.providers import FakeProvider
from tests.unit.engine.conftest import ALICE, make_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft, LedgerEntry
    from meshflow_grpc.ports.provider import ModelRequest

FORK = """
name: fork
entry: a
nodes:
  a: {kind: agent}
  b: {kind: agent}
  c: {kind: agent}
  d: {kind: agent}
edges:
  - {from: a, to: b}
  - {from: a, to: c}
  - {from: c, to: d}
"""


class Appends(MemoryStorage):
    """Notes the kinds of each append; loses the ledger at one that ends a run while ``away``."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[list[str]] = []
        self.away = False

    async def append(self, run_id: str, drafts: Sequence[EntryDraft], *change: Any) -> tuple[LedgerEntry, ...]:
        """See Storage."""
        if self.away and drafts[-1].kind is EntryKind.RUN_FINISHED:
            self.away = False
            raise LedgerUnavailableError("gone", metadata={"cause": "57P01"})
        self.kinds.append([draft.kind.value for draft in drafts])
        return await super().append(run_id, drafts, *change)


async def test_the_last_step_and_the_end_are_one_append() -> None:
    """The answer, the row and the totals of the entries agree as if they had been two."""
    storage = Appends()
    world = make_world(storage=storage)
    run = await world.run()
    assert storage.kinds == [["step_committed"], ["step_committed", "run_finished"]]
    assert (run.status, run.output) == (RunStatus.COMPLETED, "writer done")
    assert run == await world.storage.get_run("acme", run.run_id)
    _, _, last, finished = await world.entries(run.run_id)
    assert finished.facts["steps"] == run.usage.steps == 2
    assert finished.facts["cost_nano_usd"] == run.usage.cost_nano_usd
    assert (b'"usage"' in last.record, b'"usage"' in finished.record) == (True, False)


async def test_the_longer_of_two_branches_ends_the_run() -> None:
    """Whichever step is the last brings the end; the output is that of both branches."""
    storage = Appends()
    run = await make_world(storage=storage).run(workflow_yaml=FORK)
    assert storage.kinds == [["step_committed"]] * 3 + [["step_committed", "run_finished"]]
    assert (run.status, run.output) == (RunStatus.COMPLETED, '{"b": "b done", "d": "d done"}')


async def test_a_run_told_to_end_does_not_complete() -> None:
    """A cancellation that comes while the last answer is on its way counts: the step is kept, the run is cancelled."""
    storage = Appends()

    async def cancelled_meanwhile(request: ModelRequest) -> str:
        del request
        active = world.runtime.engine.active("run_1")
        assert active is not None
        active.cancel(CancelReason.REQUEST)
        return "an answer all the same"

    world = make_world(FakeProvider({"writer": [cancelled_meanwhile]}), storage)
    engine = world.runtime.engine
    active = engine.start(await engine.admit(ALICE, RunRequest(task="x")), "run_1")
    run = await asyncio.shield(active.done)
    assert run.status is RunStatus.CANCELLED
    assert [kinds for kinds in storage.kinds if "run_finished" in kinds] == [["run_finished"]]


async def test_a_ledger_lost_at_the_end_loses_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step and the end are recorded together when the ledger is back; nothing is released before, and nothing twice."""
    monkeypatch.setattr(engine_module, "RESUME_RETRY_S", 0.05)
    storage = Appends()
    storage.away = True
    world = make_world(storage=storage)
    engine = world.runtime.engine
    active = engine.start(await engine.admit(ALICE, RunRequest(task="x")), "run_1")
    with pytest.raises(LedgerUnavailableError):
        await asyncio.shield(active.done)
    run = await world.runtime.commands.wait_run.execute(ALICE, "run_1", timeout_s=30)
    assert (run.status, run.output) == (RunStatus.COMPLETED, "writer done")
    assert storage.kinds[-1] == ["step_committed", "run_finished"]
    kinds = [entry.kind for entry in await world.entries("run_1") if entry.kind is not EntryKind.RUN_RESUMED]
    assert kinds == [
        EntryKind.RUN_STARTED,
        EntryKind.STEP_COMMITTED,
        EntryKind.STEP_COMMITTED,
        EntryKind.RUN_FINISHED,
    ]
