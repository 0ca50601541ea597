"""Leases on PostgreSQL: one row per live server, and owner and epoch in each run's row. Times are the database's."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from meshflow_grpc.domain.errors import LedgerUnavailableError, RunFencedError
from meshflow_grpc.storage.postgres import runs
from meshflow_grpc.storage.postgres.connection import open_leases
from meshflow_grpc.storage.postgres.errors import DRIVER_ERRORS, unavailable
from meshflow_grpc.storage.postgres.ledger import locked_seq
from meshflow_grpc.storage.postgres.signals import NOTIFY, RUNS_CHANNEL, SERVERS_CHANNEL
from meshflow_grpc.storage.rows import run_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.storage.postgres.connection import PoolOptions
    from meshflow_grpc.storage.postgres.fence import Fence

_SECONDS: Final = "* interval '1 second'"
_RENEW: Final = (
    f"INSERT INTO servers (owner, expires_at) VALUES ($1, now() + $2::float8 {_SECONDS}) "  # noqa: S608
    "ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at"
)
_OTHERS: Final = "SELECT EXISTS (SELECT 1 FROM servers WHERE owner <> $1 AND expires_at > now())"
_FORGET_DEAD: Final = "DELETE FROM servers WHERE expires_at < now() - interval '1 hour'"
# While the database was away nobody could renew: just after its start no lease counts as expired.
_ALIVE: Final = (
    "EXISTS (SELECT 1 FROM servers s WHERE s.owner = r.owner AND (s.expires_at > now() "  # noqa: S608
    f"OR pg_postmaster_start_time() > now() - {{ttl}}::float8 {_SECONDS}))"
)
_CLAIM: Final = (
    "UPDATE runs r SET owner = $1, epoch = epoch + 1 WHERE r.run_id = $2 AND ("  # noqa: S608
    f"(r.status = 'paused' AND r.owner IS NULL) OR (r.status IN ('running', 'paused') AND r.owner IS NOT NULL "
    f"AND (r.owner IN ('', $1) OR NOT {_ALIVE.format(ttl='$3')}))) RETURNING r.epoch"
)
_FREE: Final = (
    "FROM runs r WHERE r.status = 'running' AND r.owner IS NOT NULL AND r.owner <> $1 "
    f"AND (r.owner = '' OR NOT {_ALIVE.format(ttl='$2')}) AND r.run_id <> ALL($4::text[]) ORDER BY r.run_id LIMIT $3"
)
_ORPHANS: Final = f"SELECT r.run_id {_FREE}"
_ORPHAN_RUNS: Final = f"SELECT {runs.COLUMNS} {_FREE}"
_TAKE: Final = (
    "UPDATE runs SET owner = $1, epoch = epoch + 1 WHERE run_id = ANY($2::text[]) AND status = 'running' "  # noqa: S608
    f"RETURNING {runs.COLUMNS}, epoch"
)
_GIVE_BACK: Final = "UPDATE runs SET owner = NULL WHERE run_id = $1 AND owner = $2 AND status = 'paused'"
_HELD: Final = "SELECT run_id, epoch FROM runs WHERE owner = $1 AND run_id = ANY($2::text[])"
_HAND_OVER: Final = "UPDATE runs SET owner = CASE WHEN status = 'running' THEN '' END WHERE owner = $1"
_HAND_OVER_ONE: Final = "UPDATE runs SET owner = '' WHERE run_id = $1 AND owner = $2 AND status = 'running'"
_LEAVE: Final = "DELETE FROM servers WHERE owner = $1"
_ASK: Final = "INSERT INTO run_cancellations (run_id, detail) VALUES ($1, $2) ON CONFLICT (run_id) DO NOTHING"
_ASKED: Final = (
    "SELECT c.run_id, c.detail FROM run_cancellations c JOIN runs r ON r.run_id = c.run_id "
    "WHERE r.owner = $1 AND r.status = 'running'"
)
_FORGET_ASKED: Final = (
    "DELETE FROM run_cancellations c USING runs r WHERE r.run_id = c.run_id AND r.status NOT IN ('running', 'paused')"
)
_CLOSE_TIMEOUT_S: Final = 5.0


class PostgresLeases:
    """See ``ports.leases.RunLeases``. Has a connection of its own, so that renewing never waits for a commit."""

    def __init__(self, url: str, options: PoolOptions, fence: Fence, ttl_s: float) -> None:
        self._url = url
        self._options = options
        self._fence = fence
        self._ttl_s = ttl_s
        self._owner = f"server_{os.urandom(8).hex()}"
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._renewed_at = -ttl_s
        self._reconnected_at = -ttl_s
        self._left = False
        self._on_runs: Callable[[Collection[str]], None] = lambda _: None
        self._on_duty: Callable[[], None] = lambda: None

    @property
    def shared(self) -> bool:
        """See RunLeases."""
        return True

    def current(self) -> bool:
        """See RunLeases."""
        return time.monotonic() - self._renewed_at < self._ttl_s

    def accompanied(self) -> bool:
        """See RunLeases."""
        return self._fence.notifies

    async def renew(self) -> None:
        """See RunLeases."""
        async with self._connected() as connection:
            await self._renew(connection)

    async def _renew(self, connection: Any) -> None:
        asked_at = time.monotonic()
        first = self._fence.owner is None
        await connection.execute(_RENEW, self._owner, self._ttl_s)
        self._renewed_at = asked_at
        self._fence.notifies = await connection.fetchval(_OTHERS, self._owner)
        self._fence.owner = self._owner
        if first:
            await connection.execute(_FORGET_DEAD)
            await connection.execute(NOTIFY, SERVERS_CHANNEL, "joined")

    async def confirm(self, run_id: str) -> None:
        """See RunLeases."""
        async with self._connected() as connection:
            await self._renew(connection)
            lost = await self._lost(connection, (run_id,))
        if lost:
            raise RunFencedError(run_id)

    async def claim(self, run_id: str) -> bool:
        """See RunLeases."""
        async with self._connected() as connection:
            epoch = await connection.fetchval(_CLAIM, self._owner, run_id, self._ttl_s)
        if epoch is None:
            return False
        self._fence.epochs[run_id] = epoch
        return True

    async def give_back(self, run_id: str) -> None:
        """See RunLeases."""
        async with self._connected() as connection:
            await connection.execute(_GIVE_BACK, run_id, self._owner)
        self._fence.epochs.pop(run_id, None)

    async def orphans(self, limit: int, besides: Collection[str] = ()) -> tuple[Run, ...]:
        """See RunLeases."""
        async with self._connected() as connection:
            found = await connection.fetch(_ORPHAN_RUNS, self._owner, self._ttl_s, limit, list(besides))
        return tuple(run_of(runs.row_of(dict(row))) for row in found)

    async def claim_orphans(self, limit: int, besides: Collection[str] = ()) -> tuple[Run, ...]:
        """See RunLeases. After a broken connection nothing is taken for a while: others may not have come back yet."""
        async with self._connected() as connection:
            settled = time.monotonic() - self._reconnected_at >= self._ttl_s
            wanted = (self._owner, self._ttl_s, limit, list(besides))
            if not settled or not await connection.fetch(_ORPHANS, *wanted):
                return ()
            async with connection.transaction(isolation="read_committed"):
                # In the order in which batches lock, and again, because somebody else may have been quicker.
                await locked_seq(connection)
                orphans = [row["run_id"] for row in await connection.fetch(_ORPHANS, *wanted)]
                taken = await connection.fetch(_TAKE, self._owner, orphans)
        found = []
        for row in taken:
            columns = dict(row)
            epoch = columns.pop("epoch")
            run = run_of(runs.row_of(columns))
            self._fence.epochs[run.run_id] = epoch
            found.append(run)
        return tuple(sorted(found, key=lambda run: run.run_id))

    async def lost(self, run_ids: Collection[str]) -> frozenset[str]:
        """See RunLeases."""
        async with self._connected() as connection:
            return await self._lost(connection, run_ids)

    async def _lost(self, connection: Any, run_ids: Collection[str]) -> frozenset[str]:
        wanted = {run_id: self._fence.epochs[run_id] for run_id in run_ids if run_id in self._fence.epochs}
        held = {row["run_id"]: row["epoch"] for row in await connection.fetch(_HELD, self._owner, list(wanted))}
        return frozenset(
            run_id
            for run_id, epoch in wanted.items()
            if held.get(run_id) != epoch and self._fence.epochs.get(run_id) == epoch
        )

    async def request_cancel(self, run_id: str, detail: str) -> bool:
        """See RunLeases."""
        async with self._connected() as connection:
            await connection.execute(_ASK, run_id, detail)
            await connection.execute(NOTIFY, SERVERS_CHANNEL, "cancel")
        return True

    async def cancellations(self) -> Mapping[str, str]:
        """See RunLeases."""
        async with self._connected() as connection:
            asked = {row["run_id"]: row["detail"] for row in await connection.fetch(_ASKED, self._owner)}
            await connection.execute(_FORGET_ASKED)
        return asked

    def listen(self, on_runs: Callable[[Collection[str]], None], on_duty: Callable[[], None]) -> None:
        """See RunLeases."""
        self._on_runs, self._on_duty = on_runs, on_duty

    async def hand_over(self, run_id: str) -> None:
        """See RunLeases."""
        async with self._connected() as connection:
            await connection.execute(_HAND_OVER_ONE, run_id, self._owner)
            await connection.execute(NOTIFY, SERVERS_CHANNEL, "orphans")
        self._fence.epochs.pop(run_id, None)

    async def leave(self) -> None:
        """See RunLeases."""
        if self._left or self._fence.owner is None:
            return
        async with self._connected() as connection:
            async with connection.transaction():
                await locked_seq(connection)
                await connection.execute(_HAND_OVER, self._owner)
                await connection.execute(_LEAVE, self._owner)
                await connection.execute(NOTIFY, SERVERS_CHANNEL, "orphans")
            self._left = True
            with suppress(*DRIVER_ERRORS):
                await connection.close(timeout=_CLOSE_TIMEOUT_S)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        """The connection, for one at a time; a broken one is made anew."""
        async with self._turn:
            if self._left:
                raise LedgerUnavailableError("this server has handed over its runs")
            try:
                yield await self._open()
            except DRIVER_ERRORS as error:
                self._drop()
                raise unavailable(error) from error

    async def _open(self) -> Any:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        if self._fence.owner is not None:
            self._reconnected_at = time.monotonic()
        connection = self._connection = await open_leases(self._url, self._options)
        await connection.add_listener(RUNS_CHANNEL, lambda _, pid, __, payload: self._written(pid, payload))
        await connection.add_listener(SERVERS_CHANNEL, lambda *_: self._heard())
        return connection

    def _written(self, pid: int, payload: str) -> None:
        if pid != self._fence.pid:
            self._on_runs(payload.split())

    def _heard(self) -> None:
        self._fence.notifies = self._fence.notifies or self._fence.owner is not None
        self._on_duty()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
