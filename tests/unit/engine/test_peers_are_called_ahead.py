"""The way to a peer is opened while the intent is written; nothing of what is asked leaves before that is durable."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import pytest

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind, LedgerEntry
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.ports.mesh import MeshAccess
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.fakes.peers import LOST, FakeMesh, answer
from tests.unit.engine.conftest import make_world
from tests.unit.engine.peer_flows import flow


class _Watching(MemoryStorage):
    """Notes how far the peer's call is when an intent is appended; ``refusing`` refuses intents."""

    def __init__(self, mesh: FakeMesh, *, refusing: bool = False) -> None:
        super().__init__()
        self.mesh, self.refusing = mesh, refusing
        self.seen: list[tuple[list[str], list[str]]] = []

    def append(
        self, run_id: str, drafts: Sequence[EntryDraft], change: RunChange | None = None
    ) -> Awaitable[tuple[LedgerEntry, ...]]:
        """See Storage."""
        if drafts[0].kind is EntryKind.STEP_INTENT:
            self.seen.append((list(self.mesh.ahead_of), list(self.mesh.asked)))
            if self.refusing:
                raise LedgerUnavailableError("the disk is full")
        return super().append(run_id, drafts, change)


async def test_the_way_is_open_and_nothing_asked_when_the_intent_is_written() -> None:
    """The peer is asked afterwards, with what was opened."""
    mesh = FakeMesh.of(build=answer())
    storage = _Watching(mesh)
    run = await make_world(storage=storage, mesh=MeshAccess(mesh, mesh)).run(workflow_yaml=flow())

    assert (run.status, storage.seen) == (RunStatus.COMPLETED, [(["build.ai"], [])])
    assert (mesh.asked, mesh.went_ahead, mesh.ahead_of) == (["build.ai"], [True], [])


async def test_a_peer_is_not_asked_what_the_ledger_does_not_hold() -> None:
    """What was opened is taken back, and the breaker's admission too."""
    mesh = FakeMesh.of(build=answer())
    world = make_world(storage=_Watching(mesh, refusing=True), mesh=MeshAccess(mesh, mesh))
    with pytest.raises(LedgerUnavailableError):
        await world.run(workflow_yaml=flow())

    assert (mesh.asked, mesh.ahead_of, mesh.admitted) == ([], [], 0)


async def test_a_repetition_is_a_call_of_its_own() -> None:
    """What was opened is used once."""
    mesh = FakeMesh.of(build=[LOST, answer()])
    run = await make_world(mesh=MeshAccess(mesh, mesh)).run(workflow_yaml=flow())

    assert run.status is RunStatus.COMPLETED
    assert (mesh.went_ahead, mesh.ahead_of) == ([True, False], [])
