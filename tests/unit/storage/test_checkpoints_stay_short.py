"""A journal of a long run is folded into snapshots; what is read back is the run, and a failed write is settled by reading."""

from __future__ import annotations

import pytest

from meshflow_grpc.domain.errors import EntryAlreadyRecordedError, LedgerUnavailableError, RunConflictError
from meshflow_grpc.ports.checkpoint import Journal
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.storage.checkpoint.codec import is_snapshot
from meshflow_grpc.storage.checkpoint.memory import MemoryCheckpoints
from meshflow_grpc.storage.checkpoint.storage import CheckpointedStorage
from tests.conformance.drafts import STEP_USAGE, TENANT, new_run, started, step, verified

RUN = "my-run"


async def _long(store: MemoryCheckpoints, steps: int) -> CheckpointedStorage:
    storage = await CheckpointedStorage.open(store, RUN)
    await storage.create_run(new_run(RUN), started(RUN), "")
    for place in range(1, steps + 1):
        await storage.append(RUN, (step(RUN, place),), RunChange(usage=STEP_USAGE))
    return storage


@pytest.mark.parametrize("steps", [10, 63, 64, 65, 500])
async def test_what_is_read_back_is_the_run(steps: int) -> None:
    """Entries, totals and a valid chain, whatever was folded meanwhile; few records for a long run."""
    store = MemoryCheckpoints()
    storage = await _long(store, steps)
    again = await CheckpointedStorage.open(store, RUN)

    assert await again.entries(TENANT, RUN) == await storage.entries(TENANT, RUN)
    assert await again.get_run(TENANT, RUN) == await storage.get_run(TENANT, RUN)
    assert await verified(again, RUN)
    records = (await store.load(RUN)).records
    assert len(records) <= 1 + max(65, steps // 2 + 2)
    assert is_snapshot(records[0]) is (steps >= 64)
    await again.append(RUN, (step(RUN, steps + 1),))
    with pytest.raises(RunConflictError, match="another process"):
        await storage.append(RUN, (step(RUN, steps + 2),))


class Failing(MemoryCheckpoints):
    """Fails the next write, before it or after it."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: str | None = None

    async def append(self, run_id: str, position: int, record: bytes) -> None:
        fails, self.fails = self.fails, None
        if fails == "before":
            raise LedgerUnavailableError("away")
        await super().append(run_id, position, record)
        if fails == "after":
            raise LedgerUnavailableError("away")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_failed_write_is_settled_by_reading(when: str) -> None:
    """Nobody sees an entry that may not be there; tried again, it is recorded once."""
    store = Failing()
    storage = await _long(store, 3)
    store.fails = when
    with pytest.raises(LedgerUnavailableError):
        await storage.append(RUN, (step(RUN, 4),))
    assert len(await storage.entries(TENANT, RUN)) == 4

    if when == "after":
        with pytest.raises(EntryAlreadyRecordedError):
            await storage.append(RUN, (step(RUN, 4),))
    else:
        await storage.append(RUN, (step(RUN, 4),))

    assert len(await storage.entries(TENANT, RUN)) == 5
    assert await verified(storage, RUN)
    assert isinstance(await store.load(RUN), Journal)
