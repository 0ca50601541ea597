"""A defect in whoever watches entries leaves the run and its ledger as they are."""

from __future__ import annotations

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import RunStatus
from tests.unit.engine.conftest import ALICE, make_world


async def test_a_step_whose_publication_breaks_is_recorded_once() -> None:
    """As committed, not also as denied; the chain verifies."""
    world = make_world()

    def broken(_: object) -> None:
        raise RuntimeError("a watcher's defect")

    world.runtime.hub.publish = broken  # type: ignore[method-assign]
    run = await world.run()

    kinds = [e.kind for e in await world.entries(run.run_id)]
    assert run.status is RunStatus.COMPLETED
    assert kinds == [EntryKind.RUN_STARTED, *[EntryKind.STEP_COMMITTED] * 2, EntryKind.RUN_FINISHED]
    assert await world.runtime.commands.verify_run.execute(ALICE, run.run_id)
