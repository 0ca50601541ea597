"""Writes one batch of commands in one transaction, and recovers from what can go wrong on the way."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from meshflow_grpc.domain.errors import LedgerUnavailableError, MeshflowError
from meshflow_grpc.storage.batch import CreateRun, already_recorded, run_exists
from meshflow_grpc.storage.salts import SaltSource
from meshflow_grpc.storage.sequencer import Sequencer
from meshflow_grpc.storage.sqlite.connection import open_writer
from meshflow_grpc.storage.sqlite.errors import unavailable
from meshflow_grpc.storage.sqlite.ledger import erase_payloads, insert_entries, last_seq, recorded
from meshflow_grpc.storage.sqlite.migrate import migrate
from meshflow_grpc.storage.sqlite.runs import erase_texts, insert_runs, select_heads, select_requests, update_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from meshflow_grpc.storage.batch import Command, Outcome, Plan


class BatchWriter:
    """Owns the writing connection. Used by one thread at a time."""

    def __init__(self, path: Path, busy_timeout_s: float, random_bytes: Callable[[int], bytes]) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._next_salt = SaltSource(random_bytes)
        self._connection: sqlite3.Connection | None = None
        self._log_holds_erased = False
        self._sequencer = Sequencer(0, self._next_salt)

    def open(self) -> None:
        """Opens the file and migrates it; raises LedgerUnavailableError."""
        try:
            self._open()
        except sqlite3.Error as error:
            self.close()
            raise unavailable(error) from error
        except LedgerUnavailableError:
            self.close()
            raise

    def write(self, commands: Sequence[Command]) -> list[Outcome]:
        """Writes a batch and returns an outcome for each command, in order. What has no error in its place is durable."""
        try:
            connection = self._connection or self._open()
            try:
                return self._write_together(connection, commands)
            except sqlite3.IntegrityError:
                self._sequencer.revert()
                connection.execute("ROLLBACK")
                return self._write_apart(connection, commands)
        except sqlite3.Error as error:
            # After a failed sync the file's state is unknown: never retry on the same connection.
            self.reopen_later()
            failure = unavailable(error)
            failure.__cause__ = error
            return [failure for _ in commands]

    def reopen_later(self) -> None:
        """Drops the connection and all that was remembered; the next batch opens the file anew."""
        self.close()

    def close(self) -> None:
        """Checkpoints and closes the connection. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            with suppress(sqlite3.Error):
                connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = open_writer(self._path, self._busy_timeout_s)
        self._connection = connection
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        migrate(connection)
        self._sequencer = Sequencer(last_seq(connection), self._next_salt)
        return connection

    def _write_together(self, connection: sqlite3.Connection, commands: Sequence[Command]) -> list[Outcome]:
        plan = self._plan(connection, commands)
        if plan.entries:
            connection.execute("BEGIN IMMEDIATE")
            _write_plan(connection, plan)
            connection.execute("COMMIT")
        self._sequencer.settle()
        self._empty_log(connection, erased=bool(plan.erased_runs))
        return plan.outcomes

    def _empty_log(self, connection: sqlite3.Connection, *, erased: bool) -> None:
        """Moves the log's pages to the file and empties it, so that no erased text stays in it; tried again while a reader is at it."""
        if not erased and not self._log_holds_erased:
            return
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._log_holds_erased = bool(busy)

    def _write_apart(self, connection: sqlite3.Connection, commands: Sequence[Command]) -> list[Outcome]:
        """Writes a batch that holds a repeated entry: command by command, still in one transaction."""
        outcomes: list[Outcome] = []
        erased = False
        connection.execute("BEGIN IMMEDIATE")
        for command in commands:
            plan = self._plan(connection, (command,))
            connection.execute("SAVEPOINT command")
            try:
                _write_plan(connection, plan)
            except sqlite3.IntegrityError as error:
                connection.execute("ROLLBACK TO command")
                self._sequencer.revert()
                plan.outcomes[0] = _refusal(connection, command, error)
            else:
                self._sequencer.settle()
                erased = erased or bool(plan.erased_runs)
            connection.execute("RELEASE command")
            outcomes.extend(plan.outcomes)
        connection.execute("COMMIT")
        self._empty_log(connection, erased=erased)
        return outcomes

    def _plan(self, connection: sqlite3.Connection, commands: Sequence[Command]) -> Plan:
        unknown = self._sequencer.unknown_runs(commands)
        keys = [
            (command.run.tenant_id, command.run.request_id)
            for command in commands
            if isinstance(command, CreateRun) and command.run.request_id is not None
        ]
        heads = select_heads(connection, unknown) if unknown else {}
        requests = select_requests(connection, keys) if keys else {}
        return self._sequencer.plan(commands, heads, requests)


def _write_plan(connection: sqlite3.Connection, plan: Plan) -> None:
    if plan.runs:
        insert_runs(connection, plan.runs)
    insert_entries(connection, plan.entries)
    update_runs(connection, plan.updates.values())
    if plan.erased_runs:
        erase_payloads(connection, plan.erased_runs)
        erase_texts(connection, plan.erased_runs)


def _refusal(connection: sqlite3.Connection, command: Command, error: sqlite3.IntegrityError) -> MeshflowError:
    if isinstance(command, CreateRun):
        return run_exists(command.run.run_id)
    repeated = recorded(connection, command.drafts)
    if repeated is not None:
        return already_recorded(repeated)
    failure = LedgerUnavailableError(
        f"the row of run {command.run_id!r} does not agree with its entries; verify the run's chain",
        metadata={"run_id": command.run_id},
    )
    failure.__cause__ = error
    return failure
