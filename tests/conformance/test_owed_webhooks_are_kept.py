"""Deliveries are given when their run has ended, to one taker at a time, until they are dropped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshflow_grpc.domain.webhook import RunWebhook
from tests.conformance.drafts import ENDED, TENANT, create, finished, time_of

if TYPE_CHECKING:
    from meshflow_grpc.ports.storage import Storage

NOW, UNTIL, LONG_AGO = time_of(30), time_of(40), time_of(0)


def owed(run_id: str) -> RunWebhook:
    """Due since the tenth second."""
    return RunWebhook(run_id, TENANT, f"https://example.com/{run_id}", time_of(10), time_of(10))


async def ended(storage: Storage, run_id: str) -> None:
    """A run that is over."""
    await create(storage, run_id)
    await storage.append(run_id, (finished(run_id),), ENDED)


async def taken(storage: Storage, now: str = NOW, orphaned: str = LONG_AGO) -> list[tuple[str, int]]:
    """Runs and attempts of what is due."""
    return [(each.run_id, each.attempts) for each in await storage.take_webhooks(now, UNTIL, orphaned, 10)]


async def test_nothing_is_due_before_the_run_has_ended(storage: Storage) -> None:
    """Running and paused runs are not over; what was given is put off."""
    await storage.add_webhook(owed("run_1"))
    await create(storage, "run_1")
    assert await taken(storage) == []

    await storage.append("run_1", (finished("run_1"),), ENDED)

    assert await taken(storage, now=time_of(5)) == []
    assert await taken(storage) == [("run_1", 1)]
    assert await taken(storage) == []
    assert await taken(storage, now=UNTIL) == [("run_1", 2)]


async def test_a_delivery_is_kept_whole_until_it_is_dropped(storage: Storage) -> None:
    """The first of a run stays; dropping twice is nothing."""
    await ended(storage, "run_1")
    await storage.add_webhook(owed("run_1"))
    await storage.add_webhook(RunWebhook("run_1", TENANT, "https://other.test/", NOW, NOW))
    (given,) = await storage.take_webhooks(NOW, UNTIL, LONG_AGO, 10)
    assert given == RunWebhook("run_1", TENANT, "https://example.com/run_1", time_of(10), UNTIL, 1)

    await storage.put_off_webhook("run_1", time_of(31))
    assert await taken(storage, now=time_of(31)) == [("run_1", 2)]

    await storage.drop_webhook("run_1")
    await storage.drop_webhook("run_1")
    assert await taken(storage, now=time_of(59)) == []


async def test_takers_at_once_get_each_delivery_once(storage: Storage) -> None:
    """As many as they ask for, those due longest first."""
    for place in range(20):
        await ended(storage, f"run_{place:02}")
        await storage.add_webhook(owed(f"run_{place:02}"))

    given = await asyncio.gather(*(storage.take_webhooks(NOW, UNTIL, LONG_AGO, 6) for _ in range(10)))

    runs = [each.run_id for part in given for each in part]
    assert sorted(runs) == [f"run_{place:02}" for place in range(20)]
    assert max(map(len, given)) == 6


async def test_of_a_run_that_never_came_to_be_it_is_given_after_a_while(storage: Storage) -> None:
    """So that it can be dropped; before, the run may be about to begin."""
    await storage.add_webhook(owed("run_1"))

    assert await taken(storage) == []
    assert await taken(storage, orphaned=time_of(11)) == [("run_1", 1)]
