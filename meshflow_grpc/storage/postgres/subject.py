"""What an erasure or a deletion needs to know of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.storage.batch import DeleteRun, ErasePayloads, Subject
from meshflow_grpc.storage.postgres.ledger import first_record, recorded, seqs_of
from meshflow_grpc.storage.postgres.runs import select_row
from meshflow_grpc.storage.sequencer import NO_SUBJECT

if TYPE_CHECKING:
    from meshflow_grpc.storage.batch import Command


async def subject_of(connection: Any, command: Command) -> Subject:
    """Looks up what an erasure or a deletion is about; nothing for other commands."""
    if isinstance(command, DeleteRun):
        return Subject(seqs=await seqs_of(connection, command.run_id))
    if isinstance(command, ErasePayloads):
        return Subject(
            await select_row(connection, command.run_id),
            await first_record(connection, command.run_id),
            recorded=await recorded(connection, command.drafts) is not None,
        )
    return NO_SUBJECT
