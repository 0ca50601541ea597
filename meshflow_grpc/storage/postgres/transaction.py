"""Writes one batch of commands in one transaction, and recovers from what can go wrong on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from meshflow_grpc.domain.errors import LedgerUnavailableError, MeshflowError
from meshflow_grpc.storage.batch import CreateRun, already_recorded, run_exists
from meshflow_grpc.storage.postgres.connection import PoolOptions, open_writer
from meshflow_grpc.storage.postgres.errors import DRIVER_ERRORS, unavailable
from meshflow_grpc.storage.postgres.ledger import erase_payloads, insert_entries, last_seq, recorded
from meshflow_grpc.storage.postgres.migrate import migrate
from meshflow_grpc.storage.postgres.runs import erase_texts, insert_runs, select_heads, select_requests, update_runs
from meshflow_grpc.storage.salts import SaltSource
from meshflow_grpc.storage.sequencer import Sequencer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshflow_grpc.storage.batch import Command, Outcome, Plan


class BatchWriter:
    """Owns the writing connection and with it the ledger's lock. Used by one task at a time."""

    def __init__(self, url: str, options: PoolOptions, random_bytes: Callable[[int], bytes]) -> None:
        self._url = url
        self._options = options
        self._next_salt = SaltSource(random_bytes)
        self._connection: Any = None
        self._sequencer = Sequencer(0, self._next_salt)

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
        try:
            connection = self._connection or await self._open()
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

    async def _open(self) -> Any:
        connection = await open_writer(self._url, self._options)
        self._connection = connection
        await migrate(connection)
        self._sequencer = Sequencer(await last_seq(connection), self._next_salt)
        return connection

    async def _write_together(self, connection: Any, commands: Sequence[Command]) -> list[Outcome]:
        plan = await self._plan(connection, commands)
        if plan.entries:
            await _write_plan(connection, plan)
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
        return self._sequencer.plan(commands, heads, requests)


async def _write_plan(connection: Any, plan: Plan) -> None:
    async with connection.transaction():
        if plan.runs:
            await insert_runs(connection, plan.runs)
        await insert_entries(connection, plan.entries)
        await update_runs(connection, plan.updates.values())
        if plan.erased_runs:
            await erase_payloads(connection, plan.erased_runs)
            await erase_texts(connection, plan.erased_runs)


async def _refusal(connection: Any, command: Command, error: asyncpg.UniqueViolationError) -> MeshflowError:
    if isinstance(command, CreateRun):
        return run_exists(command.run.run_id)
    repeated = await recorded(connection, command.drafts)
    if repeated is not None:
        return already_recorded(repeated)
    failure = LedgerUnavailableError(
        f"the row of run {command.run_id!r} does not agree with its entries; verify the run's chain",
        metadata={"run_id": command.run_id},
    )
    failure.__cause__ = error
    return failure
