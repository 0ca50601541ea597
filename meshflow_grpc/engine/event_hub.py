"""Fan-out of committed entries to the watchers of a run. Publishing never waits: a slow watcher falls behind and reads the ledger."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

from meshflow_grpc.domain.event import RunEvent
from meshflow_grpc.domain.run import EventView
from meshflow_grpc.engine.interruption import stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from meshflow_grpc.domain.ledger_entry import LedgerEntry

QUEUE_LIMIT = 256
LIVE_LIMIT = 128
"""Items waiting for a watcher from which on live-only events are not added: what is in the ledger goes first."""


class Subscription:
    """One watcher's bounded queue. ``lagged`` says that items were dropped and the ledger must be read."""

    __slots__ = ("_hub", "_run_id", "_waiting", "items", "lagged", "view")

    def __init__(self, hub: EventHub, run_id: str, view: EventView) -> None:
        self._hub = hub
        self._run_id = run_id
        self._waiting: asyncio.Future[None] | None = None
        self.view = view
        self.items: deque[LedgerEntry | RunEvent] = deque()
        self.lagged = False

    def offer(self, item: LedgerEntry | RunEvent) -> None:
        """Takes an item, or drops everything and notes the lag when the watcher is too slow."""
        if len(self.items) >= QUEUE_LIMIT:
            self.items.clear()
            self.lagged = True
        else:
            self.items.append(item)
        self.wake()

    def offer_live(self, event: RunEvent) -> None:
        """Takes a live-only event, or drops it when the watcher is behind."""
        if len(self.items) < LIVE_LIMIT:
            self.offer(event)

    def wake(self) -> None:
        """Something has changed for the watcher."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def look(self) -> None:
        """The ledger holds something that was not offered."""
        self.lagged = True
        self.wake()

    async def wait(self, timeout_s: float) -> None:
        """Returns when something may have come, or after the timeout; raises StoppedError when nothing will come any more."""
        if self.items or self.lagged:
            return
        self._hub.check_open()
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(timeout_s, self.wake)
        try:
            await self._waiting
        finally:
            self._waiting = None
            timer.cancel()
        if not self.items and not self.lagged:
            self._hub.check_open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub.drop(self._run_id, self)


class EventHub:
    """Subscriptions by run."""

    def __init__(self) -> None:
        self._by_run: dict[str, list[Subscription]] = {}
        self._listeners: list[Callable[[LedgerEntry], None]] = []
        self._closed = False

    def close(self) -> None:
        """The server stops: watchers see what came until now, and then that they have to watch elsewhere."""
        self._closed = True
        for subscriptions in self._by_run.values():
            for subscription in subscriptions:
                subscription.wake()

    def check_open(self) -> None:
        """Raises StoppedError after ``close``."""
        if self._closed:
            raise stopped()

    def listen(self, listener: Callable[[LedgerEntry], None]) -> None:
        """Tells a listener of every durable entry of every run, before the run goes on; it must be quick and must not raise."""
        self._listeners.append(listener)

    def subscribe(self, run_id: str, view: EventView) -> Subscription:
        """Starts a subscription; use it as a context manager."""
        subscription = Subscription(self, run_id, view)
        self._by_run.setdefault(run_id, []).append(subscription)
        return subscription

    def written_elsewhere(self, run_ids: Iterable[str]) -> None:
        """Sends the watchers of these runs to the ledger."""
        for run_id in run_ids:
            for subscription in self._by_run.get(run_id, ()):
                subscription.look()

    def drop(self, run_id: str, subscription: Subscription) -> None:
        """Ends a subscription."""
        remaining = [s for s in self._by_run.get(run_id, ()) if s is not subscription]
        if remaining:
            self._by_run[run_id] = remaining
        else:
            self._by_run.pop(run_id, None)

    def publish(self, entry: LedgerEntry) -> None:
        """Hands a durable entry to the listeners and the run's watchers."""
        for listener in self._listeners:
            listener(entry)
        for subscription in self._by_run.get(entry.run_id, ()):
            subscription.offer(entry)

    def publish_live(self, event: RunEvent) -> None:
        """Hands a live-only event to the watchers that want all and keep up."""
        for subscription in self._by_run.get(event.run_id, ()):
            if subscription.view is EventView.FULL:
                subscription.offer_live(event)

    def wants_live(self, run_id: str) -> bool:
        """Whether any watcher of the run wants live-only events."""
        return run_id in self._by_run and any(s.view is EventView.FULL for s in self._by_run[run_id])
