"""What an erasure or a deletion needs to know of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.storage.batch import DeleteRun, ErasePayloads, Subject
from meshflow_grpc.storage.sequencer import NO_SUBJECT
from meshflow_grpc.storage.sqlite.ledger import first_record, recorded, seqs_of
from meshflow_grpc.storage.sqlite.runs import select_row

if TYPE_CHECKING:
    import sqlite3

    from meshflow_grpc.storage.batch import Command


def subject_of(connection: sqlite3.Connection, command: Command) -> Subject:
    """Looks up what an erasure or a deletion is about; nothing for other commands."""
    if isinstance(command, DeleteRun):
        return Subject(seqs=seqs_of(connection, command.run_id))
    if isinstance(command, ErasePayloads):
        return Subject(
            select_row(connection, command.run_id),
            first_record(connection, command.run_id),
            recorded=recorded(connection, command.drafts) is not None,
        )
    return NO_SUBJECT
