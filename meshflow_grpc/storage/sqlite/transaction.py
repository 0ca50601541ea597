"""Writes one batch of commands in one transaction, and recovers from what can go wrong on the way."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from meshflow_grpc.domain.errors import LedgerUnavailableError, LogInconsistentError
from meshflow_grpc.ledger.merkle_nodes import frontier_nodes
from meshflow_grpc.ledger.payload_cipher import NO_KEYS
from meshflow_grpc.storage.batch import CreateRun, DeleteRun, parts_of
from meshflow_grpc.storage.integration import Backlog, checked_records, resumed, state_of
from meshflow_grpc.storage.salts import SaltSource
from meshflow_grpc.storage.sequencer import Sequencer
from meshflow_grpc.storage.sqlite import log
from meshflow_grpc.storage.sqlite.connection import open_writer
from meshflow_grpc.storage.sqlite.errors import unavailable
from meshflow_grpc.storage.sqlite.ledger import last_seq
from meshflow_grpc.storage.sqlite.migrate import migrate
from meshflow_grpc.storage.sqlite.payload_keys import replace_keys, select_keys
from meshflow_grpc.storage.sqlite.plan_writing import refusal, write_plan
from meshflow_grpc.storage.sqlite.runs import select_heads, select_requests
from meshflow_grpc.storage.sqlite.subject import subject_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from meshflow_grpc.ledger.merkle_nodes import CompactRange
    from meshflow_grpc.ledger.payload_cipher import PayloadKeys, WrappedKey
    from meshflow_grpc.ports.log import LogState, StoredHead
    from meshflow_grpc.storage.batch import Command, Outcome, Plan

T = TypeVar("T")


class BatchWriter:
    """Owns the writing connection. Used by one thread at a time."""

    def __init__(
        self,
        path: Path,
        busy_timeout_s: float,
        random_bytes: Callable[[int], bytes],
        payload_keys: PayloadKeys = NO_KEYS,
        before_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._before_commit = before_commit
        self._busy_timeout_s = busy_timeout_s
        self._next_salt = SaltSource(random_bytes)
        self._payload_keys = payload_keys
        self._connection: sqlite3.Connection | None = None
        self._log_holds_erased = False
        self._sequencer = Sequencer(0, self._next_salt, payload_keys)
        self._backlog = Backlog()
        self._edge: CompactRange | None = None
        self.newest_seq = 0
        self.integrated = 0

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
        return [outcome for part in parts_of(commands) for outcome in self._write_part(part)]

    def _write_part(self, commands: Sequence[Command]) -> list[Outcome]:
        try:
            connection = self._connection or self._open()
            if isinstance(commands[0], DeleteRun):
                self._integrate(connection, self.newest_seq)
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
        except LogInconsistentError as error:
            self.reopen_later()
            return [error for _ in commands]

    def reopen_later(self) -> None:
        """Drops the connection and all that was remembered; the next batch opens the file anew."""
        self.close()

    def close(self) -> None:
        """Checkpoints and closes the connection. Idempotent."""
        connection, self._connection = self._connection, None
        self._edge = None
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
        self.newest_seq = last_seq(connection)
        self.integrated = int(connection.execute(log.SELECT_SIZE).fetchone()[0])
        self._sequencer = Sequencer(self.newest_seq, self._next_salt, self._payload_keys)
        return connection

    def log_state(self) -> LogState:
        """Returns the tree as stored; raises LogInconsistentError."""
        return self._on_log(lambda connection: state_of(self._resumed(connection), _newest_seq(connection)))

    def integrate(self, limit: int) -> LogState:
        """Adds the leaves of up to ``limit`` entries in one transaction; raises LogInconsistentError."""
        return self._on_log(lambda connection: self._integrate(connection, limit))

    def add_head(self, head: StoredHead) -> None:
        """Adds a signed head."""
        row = (head.size, head.root, head.note, head.time)
        self._on_log(lambda connection: connection.execute(log.INSERT_HEAD, row))

    def replace_keys(self, keys: Sequence[WrappedKey]) -> None:
        """Replaces wrapped keys in one transaction and leaves nothing of the old ones in the file."""

        def replace(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            replace_keys(connection, keys)
            connection.execute("COMMIT")
            self._empty_log(connection, erased=True)

        self._on_log(replace)

    def on_connection(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Works on what is beside the ledger, through the only connection that writes; each statement is durable by itself."""
        return self._on_log(work)

    def _on_log(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._connection or self._open())
        except sqlite3.Error as error:
            self.reopen_later()
            raise unavailable(error) from error
        except LogInconsistentError:
            self.reopen_later()
            raise

    def _integrate(self, connection: sqlite3.Connection, limit: int) -> LogState:
        edge = self._resumed(connection)
        records = self._backlog.from_leaf(edge.size, limit)
        if not records and edge.size < self.newest_seq:
            rows = connection.execute(log.SELECT_RECORDS, (edge.size, limit)).fetchall()
            records = checked_records(rows, edge.size, self.newest_seq, limit)
        if records:
            self._edge = None
            nodes = edge.append(records)
            connection.execute("BEGIN IMMEDIATE")
            log.insert_nodes(connection, nodes)
            connection.execute("COMMIT")
            self._edge = edge
            self.integrated = edge.size
            self._backlog.forget_before(edge.size)
        return state_of(edge, self.newest_seq)

    def _resumed(self, connection: sqlite3.Connection) -> CompactRange:
        if self._edge is None:
            size = int(connection.execute(log.SELECT_SIZE).fetchone()[0])
            hashes = {
                (level, idx): value
                for sql, parameters in log.select_nodes(frontier_nodes(size))
                for level, idx, value in connection.execute(sql, parameters)
            }
            self._edge = resumed(size, hashes)
        return self._edge

    def _durable(self, plans: Sequence[Plan]) -> None:
        """The plans' entries were committed: they are next to integrate."""
        for plan in plans:
            if plan.entries:
                self.newest_seq = plan.entries[-1].seq
                self._backlog.add(plan.entries)

    def _write_together(self, connection: sqlite3.Connection, commands: Sequence[Command]) -> list[Outcome]:
        plan = self._plan(connection, commands)
        if plan.entries:
            connection.execute("BEGIN IMMEDIATE")
            write_plan(connection, plan)
            self._before_commit()
            connection.execute("COMMIT")
            self._durable((plan,))
        self._sequencer.settle()
        self._empty_log(connection, erased=bool(plan.erased_runs or plan.deleted_runs))
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
        written: list[Plan] = []
        connection.execute("BEGIN IMMEDIATE")
        for command in commands:
            plan = self._plan(connection, (command,))
            connection.execute("SAVEPOINT command")
            try:
                write_plan(connection, plan)
            except sqlite3.IntegrityError as error:
                connection.execute("ROLLBACK TO command")
                self._sequencer.revert()
                plan.outcomes[0] = refusal(connection, command, error)
            else:
                self._sequencer.settle()
                written.append(plan)
            connection.execute("RELEASE command")
            outcomes.extend(plan.outcomes)
        self._before_commit()
        connection.execute("COMMIT")
        self._durable(written)
        self._empty_log(connection, erased=any(plan.erased_runs or plan.deleted_runs for plan in written))
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
        wrapped = select_keys(connection, unknown) if unknown else {}
        return self._sequencer.plan(commands, heads, requests, wrapped, subject_of(connection, commands[0]))


def _newest_seq(connection: sqlite3.Connection) -> int:
    return int(connection.execute(log.SELECT_NEWEST_SEQ).fetchone()[0])
