"""Writes one batch of commands in one transaction, and recovers from what can go wrong on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from meshflow_grpc.domain.errors import LedgerUnavailableError, LogInconsistentError, RunFencedError
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.ledger.merkle_nodes import frontier_nodes
from meshflow_grpc.ledger.payload_cipher import NO_KEYS
from meshflow_grpc.storage.batch import CreateRun, DeleteRun, Head, parts_of, run_id_of
from meshflow_grpc.storage.integration import Backlog, checked_records, resumed, state_of
from meshflow_grpc.storage.postgres import log
from meshflow_grpc.storage.postgres.connection import PoolOptions, open_writer
from meshflow_grpc.storage.postgres.errors import DRIVER_ERRORS, NOT_TEXT, not_text, unavailable
from meshflow_grpc.storage.postgres.fence import Fence, FencedError, OvertakenError
from meshflow_grpc.storage.postgres.ledger import last_seq, locked_seq
from meshflow_grpc.storage.postgres.migrate import migrate
from meshflow_grpc.storage.postgres.payload_keys import replace_keys, select_keys
from meshflow_grpc.storage.postgres.plan_writing import refusal, write_plan
from meshflow_grpc.storage.postgres.runs import fenced_runs, select_heads, select_requests
from meshflow_grpc.storage.postgres.subject import subject_of
from meshflow_grpc.storage.salts import SaltSource
from meshflow_grpc.storage.sequencer import Sequencer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from meshflow_grpc.ledger.merkle_nodes import CompactRange
    from meshflow_grpc.ledger.payload_cipher import PayloadKeys, WrappedKey
    from meshflow_grpc.ports.log import LogState, StoredHead
    from meshflow_grpc.storage.batch import Command, Outcome, Plan

T = TypeVar("T")


class BatchWriter:
    """Owns the writing connection. Used by one task at a time; other servers may write the same ledger."""

    def __init__(
        self,
        url: str,
        options: PoolOptions,
        random_bytes: Callable[[int], bytes],
        payload_keys: PayloadKeys = NO_KEYS,
    ) -> None:
        self._url = url
        self._options = options
        self._next_salt = SaltSource(random_bytes)
        self._payload_keys = payload_keys
        self._connection: Any = None
        self._sequencer = Sequencer(0, self._next_salt, payload_keys)
        self._backlog = Backlog()
        self._edge: CompactRange | None = None
        self._shared = False
        self.fence = Fence()
        self.newest_seq = 0
        self.integrated = 0

    async def open(self) -> None:
        """Connects and migrates; raises LedgerUnavailableError."""
        try:
            await self._open()
        except DRIVER_ERRORS as error:
            self.drop()
            raise unavailable(error) from error
        except LedgerUnavailableError:
            self.drop()
            raise

    async def write(self, commands: Sequence[Command]) -> list[Outcome]:
        """Writes a batch and returns an outcome for each command, in order. What has no error in its place is durable."""
        return [outcome for part in parts_of(commands) for outcome in await self._write_part(part)]

    async def _write_part(self, commands: Sequence[Command]) -> list[Outcome]:
        try:
            connection = await self._connected()
            if isinstance(commands[0], DeleteRun):
                await self._integrate_all(connection)
            try:
                return await self._write_together(connection, commands)
            except (asyncpg.UniqueViolationError, NOT_TEXT):
                self._sequencer.revert()
                return await self._write_apart(connection, commands)
        except LedgerUnavailableError as error:
            self.drop()
            return [error for _ in commands]
        except DRIVER_ERRORS as error:
            # Whether the last commit arrived is unknown: forget what was remembered and look it up anew.
            self.drop()
            failure = unavailable(error)
            failure.__cause__ = error
            return [failure for _ in commands]

    def drop(self) -> None:
        """Drops the connection and all that was remembered; the next batch connects anew."""
        connection, self._connection = self._connection, None
        self._edge = None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Closes the connection. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=5.0)
            except DRIVER_ERRORS:
                connection.terminate()

    async def _connected(self) -> Any:
        """The connection, a new one when the database has closed it since."""
        if self._connection is not None and self._connection.is_closed():
            self.drop()
        return self._connection or await self._open()

    async def _open(self) -> Any:
        connection = await open_writer(self._url, self._options)
        self._connection = connection
        self.fence.pid = connection.get_server_pid()
        await migrate(connection)
        self.newest_seq = await last_seq(connection)
        self.integrated = int(await connection.fetchval(log.SELECT_SIZE))
        self._sequencer = Sequencer(self.newest_seq, self._next_salt, self._payload_keys)
        return connection

    async def log_state(self) -> LogState:
        """Returns the tree as stored; raises LogInconsistentError."""

        async def read(connection: Any) -> LogState:
            return state_of(await self._resumed(connection), int(await connection.fetchval(log.SELECT_NEWEST_SEQ)))

        return await self._on_log(read)

    async def integrate(self, limit: int) -> LogState:
        """Adds the leaves of up to ``limit`` entries in one transaction; raises LogInconsistentError."""
        return await self._on_log(lambda connection: self._integrate(connection, limit))

    async def add_head(self, head: StoredHead) -> None:
        """Adds a signed head, unless a larger one was added meanwhile."""

        async def add(connection: Any) -> None:
            async with connection.transaction():
                await connection.execute(log.LOCK_LOG)
                await connection.execute(log.INSERT_HEAD, head.size, head.root, head.note, head.time)

        await self._on_log(add)

    async def replace_keys(self, keys: Sequence[WrappedKey]) -> None:
        """Replaces wrapped keys."""
        await self._on_log(lambda connection: replace_keys(connection, keys))

    async def on_connection(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Works on what is beside the ledger, through the only connection that writes; each statement is durable by itself."""
        return await self._on_log(work)

    async def _on_log(self, work: Callable[[Any], Awaitable[T]]) -> T:
        try:
            return await work(await self._connected())
        except NOT_TEXT as error:
            raise not_text() from error
        except DRIVER_ERRORS as error:
            self.drop()
            raise unavailable(error) from error
        except LogInconsistentError:
            self._edge = None
            raise

    async def _integrate(self, connection: Any, limit: int) -> LogState:
        """One server at a time: what others integrated meanwhile is read first."""
        async with connection.transaction():
            await connection.execute(log.LOCK_LOG)
            edge = await self._resumed(connection)
            newest = await last_seq(connection)
            records = self._backlog.from_leaf(edge.size, limit)
            if not records and edge.size < newest:
                rows = await connection.fetch(log.SELECT_RECORDS, edge.size, limit)
                records = checked_records(map(tuple, rows), edge.size, newest, limit)
            self._edge = None
            if records:
                await log.insert_nodes(connection, edge.append(records))
        self._edge = edge
        self.newest_seq = max(self.newest_seq, newest)
        self.integrated = edge.size
        self._backlog.forget_before(edge.size)
        return state_of(edge, newest)

    async def _integrate_all(self, connection: Any) -> None:
        """What is deleted has to be in the tree before."""
        newest = await last_seq(connection)
        while (await self._integrate(connection, newest)).size < newest:
            continue

    async def _resumed(self, connection: Any) -> CompactRange:
        size = int(await connection.fetchval(log.SELECT_SIZE))
        if self._edge is None or self._edge.size != size:
            self._edge = resumed(size, await log.select_nodes(connection, frontier_nodes(size)))
        return self._edge

    def _durable(self, plan: Plan) -> None:
        """The plan's entries were committed: they are next to integrate."""
        if plan.entries:
            self.newest_seq = plan.entries[-1].seq
            self._backlog.add(plan.entries)
        for update in plan.updates.values():
            if update.status not in (None, RunStatus.RUNNING.value):
                self.fence.epochs.pop(update.run_id, None)

    async def _write_together(self, connection: Any, commands: Sequence[Command]) -> list[Outcome]:
        while True:
            try:
                plan = await self._transact(connection, commands)
            except OvertakenError:
                # Under the lock nobody overtakes.
                self._sequencer.revert()
                self._shared = True
            except FencedError:
                self._sequencer.revert()
                return await self._write_unfenced(connection, commands)
            else:
                self._durable(plan)
                self._sequencer.settle()
                return plan.outcomes

    async def _transact(self, connection: Any, commands: Sequence[Command]) -> Plan:
        """Plans and writes in one transaction. While nobody else writes, what is remembered holds, and nothing is locked ahead."""
        async with connection.transaction(isolation="read_committed"):
            if self._shared:
                self._catch_up(await locked_seq(connection))
            plan = await self._plan(connection, commands)
            if plan.entries:
                await write_plan(connection, plan, self.fence)
        return plan

    def _catch_up(self, newest: int) -> None:
        self._shared = newest != self._sequencer.last_seq
        if self._shared:
            self._sequencer = Sequencer(newest, self._next_salt, self._payload_keys)

    async def _write_unfenced(self, connection: Any, commands: Sequence[Command]) -> list[Outcome]:
        """Refuses the commands of runs that somebody else holds, and writes the others."""
        lost = await fenced_runs(connection, [run_id for run_id in map(run_id_of, commands) if run_id], self.fence)
        others = [command for command in commands if run_id_of(command) not in lost]
        written = iter(await self._write_together(connection, others) if others else ())
        return [RunFencedError(run_id_of(each)) if run_id_of(each) in lost else next(written) for each in commands]

    async def _write_apart(self, connection: Any, commands: Sequence[Command]) -> list[Outcome]:
        """Writes a batch that holds a repeated entry, or what is no text: command by command."""
        outcomes: list[Outcome] = []
        for command in commands:
            try:
                outcomes.extend(await self._write_together(connection, (command,)))
            except asyncpg.UniqueViolationError as error:
                self._sequencer.revert()
                outcomes.append(await refusal(connection, command, error))
            except NOT_TEXT:
                self._sequencer.revert()
                outcomes.append(not_text())
        return outcomes

    async def _plan(self, connection: Any, commands: Sequence[Command]) -> Plan:
        unknown = self._sequencer.unknown_runs(commands)
        keys = [
            (command.run.tenant_id, command.run.request_id)
            for command in commands
            if isinstance(command, CreateRun) and command.run.request_id is not None
        ]
        heads = await select_heads(connection, unknown) if unknown else {}
        if any(
            isinstance(head, Head) and head.status.ended and id_ in self.fence.epochs for id_, head in heads.items()
        ):
            raise FencedError
        requests = await select_requests(connection, keys) if keys else {}
        wrapped = await select_keys(connection, unknown) if unknown else {}
        return self._sequencer.plan(commands, heads, requests, wrapped, await subject_of(connection, commands[0]))
