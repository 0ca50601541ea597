"""Integrates entries into the log and signs its heads, in the background: once a second, or sooner when many wait."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.errors import LedgerUnavailableError, LogInconsistentError
from meshflow_grpc.ledger.log_keys import check_grew_from, nodes_to_check, rolled_back
from meshflow_grpc.ports.log import StoredHead

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from meshflow_grpc.ledger.checkpoint import Checkpoint
    from meshflow_grpc.ledger.log_keys import LogKeys
    from meshflow_grpc.ports.anchor import HeadAnchor
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.log import LogState, LogStore

BATCH_ENTRIES: Final = 1024
TICK_S: Final = 0.2
TICKS_PER_HEAD: Final = 5
STORED = "the newest signed head in the ledger"
ANCHORED = "the newest head in the anchor file"


class LogPublisher:
    """Owns the log's growth. It never signs a head that does not contain the one before.

    When the ledger turns out to be inconsistent it stops publishing for good: every later call raises what was found.
    """

    def __init__(
        self,
        store: LogStore,
        keys: LogKeys,
        clock: Clock,
        anchor: HeadAnchor | None = None,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self.keys = keys
        self._store = store
        self._clock = clock
        self._anchor = anchor
        self._on_failure = on_failure
        self._newest: StoredHead | None = None
        self._checkpoint: Checkpoint | None = None
        self._not_anchored: list[str] = []
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._broken: LogInconsistentError | None = None

    async def open(self) -> StoredHead:
        """Checks the ledger against the heads signed before, then publishes what is new.

        Raises LogInconsistentError (rollback, tampering, unknown key), OSError when the anchor cannot be read.
        """
        # Heads first: other servers may add both meanwhile.
        newest = await self._store.newest_head()
        notes = await self._anchor.newest_notes() if self._anchor is not None else ()
        state = await self._store.log_state()
        if newest is not None:
            signed = self.keys.open(newest.note, STORED)
            if (signed.checkpoint.size, signed.checkpoint.root) != (newest.size, newest.root):
                raise LogInconsistentError(f"tampering detected: {STORED} and its row do not agree")
            await self._check(signed.checkpoint, state, STORED)
            self._checkpoint = signed.checkpoint
            self._newest = newest if self.keys.signed_by_current(signed) else None
        await self._check_anchor(notes, state)
        return await self.publish()

    def start(self) -> None:
        """Begins to publish in the background."""
        self._task = self._task or asyncio.create_task(self._run(), name="log-publisher")

    async def stop(self) -> None:
        """Ends the background work and publishes what is left, so that the last head covers all. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self._broken is None:
            await self._reported(self.publish)

    async def publish(self) -> StoredHead:
        """Integrates every entry that is durable now, signs the head over them, and returns it.

        Without new entries it returns the newest head. Raises LogInconsistentError instead of signing what does not contain it.
        """
        async with self._lock:
            if self._broken is not None:
                raise self._broken
            try:
                return await self._publish()
            except LogInconsistentError as error:
                self._broken = error
                raise

    async def covering(self, seq: int) -> StoredHead:
        """Returns a head that covers an entry, a new one when the newest does not."""
        newest = self._newest
        if newest is not None and newest.size >= seq and self._broken is None:
            return newest
        return await self.publish()

    async def _publish(self) -> StoredHead:
        state = await self._integrated()
        newest = self._newest
        if newest is None or newest.size != state.size:
            if self._checkpoint is not None:
                await self._check_growth(self._checkpoint, state)
            newest = await self._head_of(state)
            self._newest, self._checkpoint = newest, self.keys.open(newest.note, STORED).checkpoint
            if self._anchor is not None:
                self._not_anchored.append(newest.note)
        await self._anchor_all()
        return newest

    async def _head_of(self, state: LogState) -> StoredHead:
        """Another server's head of this very tree, or a new one."""
        stored = await self._store.head_of_size(state.size)
        same = stored is not None and stored.root == state.root
        if stored is not None and same and self.keys.signed_by_current(self.keys.open(stored.note, STORED)):
            return stored
        head = StoredHead(state.size, state.root, self.keys.sign(state.size, state.root), self._clock.now())
        await self._store.add_head(head)
        return head

    async def _integrated(self) -> LogState:
        state = await self._store.integrate(BATCH_ENTRIES)
        target = state.newest_seq
        while state.size < target:
            state = await self._store.integrate(BATCH_ENTRIES)
        return state

    async def _anchor_all(self) -> None:
        while self._anchor is not None and self._not_anchored:
            await self._anchor.append(self._not_anchored[0])
            del self._not_anchored[0]

    async def _check(self, head: Checkpoint, state: LogState, what: str) -> None:
        if state.newest_seq < head.size:
            raise rolled_back(head, what, state.newest_seq)
        await self._check_growth(head, state, what)

    async def _check_growth(self, head: Checkpoint, state: LogState, what: str = STORED) -> None:
        nodes = await self._store.merkle_nodes(nodes_to_check(head.size, state.size))
        check_grew_from(head, state.size, state.root, nodes, what)

    async def _check_anchor(self, notes: Sequence[str], state: LogState) -> None:
        if notes:
            await self._check(self._newest_believed(notes), state, ANCHORED)

    def _newest_believed(self, notes: Sequence[str]) -> Checkpoint:
        """The first note a known key signed: a half-written one may come before it."""
        failures = []
        for note in notes:
            try:
                return self.keys.open(note, ANCHORED).checkpoint
            except LogInconsistentError as error:
                failures.append(error)
        raise failures[0]

    async def _run(self) -> None:
        ticks = 0
        while self._broken is None:
            await asyncio.sleep(TICK_S)
            ticks += 1
            waiting = self._store.pending_entries()
            if (waiting and ticks >= TICKS_PER_HEAD) or waiting >= BATCH_ENTRIES or self._not_anchored:
                ticks = 0
                await self._reported(self.publish)

    async def _reported(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except (LedgerUnavailableError, OSError) as error:
            self._on_failure(error)
