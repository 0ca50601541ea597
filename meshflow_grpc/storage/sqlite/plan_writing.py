"""Writes a planned batch, inside its transaction, and says why one was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.storage.batch import CreateRun, already_recorded, disagrees, run_exists
from meshflow_grpc.storage.sqlite.ledger import delete_entries, erase_payloads, insert_entries, recorded
from meshflow_grpc.storage.sqlite.payload_keys import delete_keys, insert_keys
from meshflow_grpc.storage.sqlite.runs import delete_runs, erase_texts, insert_runs, update_runs

if TYPE_CHECKING:
    import sqlite3

    from meshflow_grpc.domain.errors import MeshflowError
    from meshflow_grpc.storage.batch import Command, Plan


def write_plan(connection: sqlite3.Connection, plan: Plan) -> None:
    """Writes all of a plan."""
    if plan.runs:
        insert_runs(connection, plan.runs)
    if plan.keys:
        insert_keys(connection, plan.keys)
    insert_entries(connection, plan.entries)
    update_runs(connection, plan.updates.values())
    if plan.erased_runs:
        erase_payloads(connection, plan.erased_runs)
        erase_texts(connection, plan.header_salts)
        delete_keys(connection, plan.erased_runs)
    if plan.deleted_runs:
        delete_entries(connection, plan.deleted_runs)
        delete_runs(connection, plan.deleted_runs)
        delete_keys(connection, plan.deleted_runs)


def refusal(connection: sqlite3.Connection, command: Command, error: sqlite3.IntegrityError) -> MeshflowError:
    """Returns why a command that repeats something was refused."""
    if isinstance(command, CreateRun):
        return run_exists(command.run.run_id)
    repeated = recorded(connection, command.drafts)
    if repeated is not None:
        return already_recorded(repeated)
    failure = disagrees(command.run_id)
    failure.__cause__ = error
    return failure
