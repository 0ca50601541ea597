"""Watching a run: from the ledger up to its end, then from the hub, without loss or repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.event import RunEvent
from meshflow_grpc.domain.ledger_entry import EntryKind, LedgerEntry
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.engine.events import event_of, visible

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from meshflow_grpc.domain.run import EventView
    from meshflow_grpc.engine.event_hub import EventHub, Subscription
    from meshflow_grpc.ports.storage import Storage

PAGE = 32
"""Entries that a watcher who is behind holds at a time: one that stopped reading keeps them for as long."""
# How often a watcher looks in the ledger when the hub is silent: entries of a run that another process executes come that way.
POLL_S = 2.0
_LAST = frozenset({EntryKind.RUN_FINISHED})
_LAST_OR_PAUSED = _LAST | {EntryKind.RUN_PAUSED}


class _Position:
    """How far a watcher has come."""

    __slots__ = ("_finished", "_last", "sequence")

    def __init__(self, sequence: int, last: frozenset[EntryKind]) -> None:
        self._last = last
        self.sequence = sequence
        self._finished = False

    def take(self, entry: LedgerEntry) -> None:
        """Moves to an entry that was shown."""
        self.sequence = entry.sequence
        self._finished = entry.kind in self._last

    def finished(self) -> bool:
        """Whether the run's last entry was shown."""
        return self._finished


async def watch_entries(
    storage: Storage,
    subscription: Subscription,
    tenant_id: str,
    run_id: str,
    after: int,
    *,
    begins_now: bool = False,
    until_paused: bool = False,
) -> AsyncGenerator[LedgerEntry | RunEvent, None]:
    """Yields entries with a sequence above ``after`` in order, and live events between them; ends after run_finished.

    With ``until_paused`` they end too where the run waits for a human.

    ``begins_now`` says that the run starts after the subscription, which saves the first look in the ledger.
    """
    position = _Position(after, _LAST_OR_PAUSED if until_paused and begins_now else _LAST)
    if begins_now:
        await subscription.wait(POLL_S)
    while not position.finished():
        async for item in _from_hub(subscription, position):
            yield item
        if position.finished():
            return
        subscription.lagged = False
        page = await storage.entries(tenant_id, run_id, after_sequence=position.sequence, limit=PAGE)
        for entry in page:
            position.take(entry)
            yield entry
        if not page and await _over(storage, tenant_id, run_id, position, until_paused=until_paused):
            return
        if len(page) < PAGE and not position.finished():
            await subscription.wait(POLL_S)


async def _over(storage: Storage, tenant_id: str, run_id: str, position: _Position, *, until_paused: bool) -> bool:
    """Whether nothing can come after the position: a watcher may ask for what follows the last entry."""
    run = await storage.get_run(tenant_id, run_id)
    over = run.status.ended or (until_paused and run.status is RunStatus.PAUSED)
    return over and run.entries <= position.sequence


async def _from_hub(subscription: Subscription, position: _Position) -> AsyncGenerator[LedgerEntry | RunEvent, None]:
    """Yields what the hub holds, in order, until it is silent for a while or an entry is missing from it."""
    while subscription.items:
        item = subscription.items.popleft()
        if isinstance(item, LedgerEntry):
            if item.sequence > position.sequence + 1:
                return
            if item.sequence <= position.sequence:
                continue
            position.take(item)
        yield item
        if position.finished():
            return
        await subscription.wait(POLL_S)


async def watch_run(
    storage: Storage, hub: EventHub, tenant_id: str, run_id: str, *, after_sequence: int, view: EventView
) -> AsyncGenerator[RunEvent, None]:
    """Events of a run with a sequence above ``after_sequence``; raises RunNotFoundError before the first one."""
    with hub.subscribe(run_id, view) as subscription:
        async for event in shown(watch_entries(storage, subscription, tenant_id, run_id, after_sequence), view):
            yield event


async def shown(items: AsyncGenerator[LedgerEntry | RunEvent, None], view: EventView) -> AsyncGenerator[RunEvent, None]:
    """The events of a view."""
    async for item in items:
        event = event_of(item) if isinstance(item, LedgerEntry) else item
        if event is not None and visible(event, view):
            yield event
