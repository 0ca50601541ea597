"""The review of an emergency is a run beside the reviewed one: recorded, verified and found again in every store."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from meshflow_grpc.domain.errors import RunConflictError
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.governance.emergency import review_run_id
from meshflow_grpc.governance.run_evidence import Finding
from meshflow_grpc.storage.memory.storage import MemoryStorage
from tests.unit.engine.conftest import ALICE, make_world
from tests.unit.engine.gated import BOB, decide, verified
from tests.unit.engine.test_controls_are_judged_by_the_ledger import judged
from tests.unit.engine.test_emergencies_are_approved_and_reviewed import OPTIONS, broken, control

if TYPE_CHECKING:
    from meshflow_grpc.ports.storage import Storage


async def test_a_review_stands_beside_an_immutable_run(storage: Storage) -> None:
    """Once, whoever says it again; the reviewed run is as it was, and nothing goes on from a review."""
    world = make_world(storage=cast("MemoryStorage", storage), options=OPTIONS)
    run, approval = await broken(world)
    for _ in range(2):
        await decide(world, approval.approval_id, "confirm", BOB, comment="seen")
    record = await storage.get_run("acme", review_run_id(approval.approval_id))
    shown = await world.runtime.commands.get_approval.execute(BOB, approval.approval_id)

    assert control(await judged(world, run))[0] is Finding.PASS
    assert (record.status, record.entries, await verified(world, record.run_id)) == (RunStatus.COMPLETED, 2, True)
    assert (await storage.get_run("acme", run.run_id)).head_hash == run.head_hash
    assert shown.review_run_id == record.run_id
    with pytest.raises(RunConflictError):
        await world.runtime.commands.fork_run.execute(ALICE, record.run_id, ForkPoint(before_sequence=2))
