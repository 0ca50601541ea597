"""Writes one batch of commands in one transaction, and recovers from what can go wrong on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from meshflow_grpc.domain.errors import LedgerUnavailableError, LogInconsistentError, MeshflowError
from meshflow_grpc.ledger.merkle_nodes import frontier_nodes
from meshflow_grpc.ledger.payload_cipher import NO_KEYS
from meshflow_grpc.storage.batch import (
    CreateRun,
    DeleteRun,
    already_recorded,
    disagrees,
    parts_of,
    run_exists,
)
from meshflow_grpc.storage.integration import Backlog, checked_records, resumed, state_of
from meshflow_grpc.storage.postgres import log
from meshflow_grpc.storage.postgres.connection import PoolOptions, open_writer
from meshflow_grpc.storage.postgres.errors import DRIVER_ERRORS, unavailable
from meshflow_grpc.storage.postgres.ledger import (
    delete_entries,
    erase_payloads,
    insert_entries,
    last_seq,
    recorded,
)
from meshflow_grpc.storage.postgres.migrate import migrate
from meshflow_grpc.storage.postgres.payload_keys import delete_keys, insert_keys, replace_keys, select_keys
from meshflow_grpc.storage.postgres.runs import (
    delete_runs,
    erase_texts,
    insert_runs,
    select_heads,
    select_requests,
    update_runs,
)
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
    """Owns the writing connection and with it the ledger's lock. Used by one task at a time."""

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
        self.newest_seq = 0
        self.integrated = 0

    async def open(self) -> None:
        """Connects, takes the lock and migrates; raises LedgerUnavailableError."""
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
                await self._integrate(connection, self.newest_seq)
            try:
                return await self._write_together(connection, commands)
            except asyncpg.UniqueViolationError:
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
        """Drops the connection, the lock with it, and all that was remembered; the next batch connects anew."""
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
        """Adds a signed head."""
        row = (head.size, head.root, head.note, head.time)
        await self._on_log(lambda connection: connection.execute(log.INSERT_HEAD, *row))

    async def replace_keys(self, keys: Sequence[WrappedKey]) -> None:
        """Replaces wrapped keys."""
        await self._on_log(lambda connection: replace_keys(connection, keys))

    async def on_connection(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Works on what is beside the ledger, through the only connection that writes; each statement is durable by itself."""
        return await self._on_log(work)

    async def _on_log(self, work: Callable[[Any], Awaitable[T]]) -> T:
        try:
            return await work(await self._connected())
        except DRIVER_ERRORS as error:
            self.drop()
            raise unavailable(error) from error
        except LogInconsistentError:
            self._edge = None
            raise

    async def _integrate(self, connection: Any, limit: int) -> LogState:
        edge = await self._resumed(connection)
        records = self._backlog.from_leaf(edge.size, limit)
        if not records and edge.size < self.newest_seq:
            rows = await connection.fetch(log.SELECT_RECORDS, edge.size, limit)
            records = checked_records(map(tuple, rows), edge.size, self.newest_seq, limit)
        if records:
            self._edge = None
            nodes = edge.append(records)
            async with connection.transaction():
                await log.insert_nodes(connection, nodes)
            self._edge = edge
            self.integrated = edge.size
            self._backlog.forget_before(edge.size)
        return state_of(edge, self.newest_seq)

    async def _resumed(self, connection: Any) -> CompactRange:
        if self._edge is None:
            size = int(await connection.fetchval(log.SELECT_SIZE))
            self._edge = resumed(size, await log.select_nodes(connection, frontier_nodes(size)))
        return self._edge

    def _durable(self, plan: Plan) -> None:
        """The plan's entries were committed: they are next to integrate."""
        if plan.entries:
            self.newest_seq = plan.entries[-1].seq
            self._backlog.add(plan.entries)

    async def _write_together(self, connection: Any, commands: Sequence[Command]) -> list[Outcome]:
        plan = await self._plan(connection, commands)
        if plan.entries:
            await _write_plan(connection, plan)
        self._durable(plan)
        self._sequencer.settle()
        return plan.outcomes

    async def _write_apart(self, connection: Any, commands: Sequence[Command]) -> list[Outcome]:
        """Writes a batch that holds a repeated entry: command by command."""
        outcomes: list[Outcome] = []
        for command in commands:
            plan = await self._plan(connection, (command,))
            try:
                if plan.entries:
                    await _write_plan(connection, plan)
            except asyncpg.UniqueViolationError as error:
                self._sequencer.revert()
                plan.outcomes[0] = await _refusal(connection, command, error)
            else:
                self._durable(plan)
                self._sequencer.settle()
            outcomes.extend(plan.outcomes)
        return outcomes

    async def _plan(self, connection: Any, commands: Sequence[Command]) -> Plan:
        unknown = self._sequencer.unknown_runs(commands)
        keys = [
            (command.run.tenant_id, command.run.request_id)
            for command in commands
            if isinstance(command, CreateRun) and command.run.request_id is not None
        ]
        heads = await select_heads(connection, unknown) if unknown else {}
        requests = await select_requests(connection, keys) if keys else {}
        wrapped = await select_keys(connection, unknown) if unknown else {}
        return self._sequencer.plan(commands, heads, requests, wrapped, await subject_of(connection, commands[0]))


async def _write_plan(connection: Any, plan: Plan) -> None:
    async with connection.transaction():
        if plan.runs:
            await insert_runs(connection, plan.runs)
        if plan.keys:
            await insert_keys(connection, plan.keys)
        await insert_entries(connection, plan.entries)
        await update_runs(connection, plan.updates.values())
        if plan.erased_runs:
            await erase_payloads(connection, plan.erased_runs)
            await erase_texts(connection, plan.header_salts)
            await delete_keys(connection, plan.erased_runs)
        if plan.deleted_runs:
            await delete_entries(connection, plan.deleted_runs)
            await delete_runs(connection, plan.deleted_runs)
            await delete_keys(connection, plan.deleted_runs)


async def _refusal(connection: Any, command: Command, error: asyncpg.UniqueViolationError) -> MeshflowError:
    if isinstance(command, CreateRun):
        return run_exists(command.run.run_id)
    repeated = await recorded(connection, command.drafts)
    if repeated is not None:
        return already_recorded(repeated)
    failure = disagrees(command.run_id)
    failure.__cause__ = error
    return failure
