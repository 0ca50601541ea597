"""Writes a planned batch, inside its transaction, and says why one was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.storage.batch import CreateRun, already_recorded, disagrees, run_exists
from meshflow_grpc.storage.postgres.fence import OvertakenError
from meshflow_grpc.storage.postgres.ledger import delete_entries, erase_payloads, insert_entries, locked_seq, recorded
from meshflow_grpc.storage.postgres.payload_keys import delete_keys, insert_keys
from meshflow_grpc.storage.postgres.runs import delete_runs, erase_texts, insert_runs, update_runs
from meshflow_grpc.storage.postgres.signals import NOTIFY, RUNS_CHANNEL, payloads

if TYPE_CHECKING:
    import asyncpg

    from meshflow_grpc.domain.errors import MeshflowError
    from meshflow_grpc.storage.batch import Command, Plan
    from meshflow_grpc.storage.postgres.fence import Fence


async def write_plan(connection: Any, plan: Plan, fence: Fence) -> None:
    """Raises OvertakenError or FencedError when the plan does not hold any more."""
    if plan.runs:
        # Locked before rows that may collide with another server's, so that no two wait for each other.
        if await locked_seq(connection) != plan.entries[0].seq - 1:
            raise OvertakenError
        await insert_runs(connection, plan.runs, fence)
    if plan.keys:
        await insert_keys(connection, plan.keys)
    await insert_entries(connection, plan.entries)
    await update_runs(connection, plan.updates.values(), fence)
    if plan.erased_runs:
        await erase_payloads(connection, plan.erased_runs)
        await erase_texts(connection, plan.header_salts)
        await delete_keys(connection, plan.erased_runs)
    if plan.deleted_runs:
        await delete_entries(connection, plan.deleted_runs)
        await delete_runs(connection, plan.deleted_runs)
        await delete_keys(connection, plan.deleted_runs)
    if fence.notifies:
        for payload in payloads(dict.fromkeys(entry.run_id for entry in plan.entries)):
            await connection.execute(NOTIFY, RUNS_CHANNEL, payload)


async def refusal(connection: Any, command: Command, error: asyncpg.UniqueViolationError) -> MeshflowError:
    """Returns why a command that repeats something was refused."""
    if isinstance(command, CreateRun):
        return run_exists(command.run.run_id)
    repeated = await recorded(connection, command.drafts)
    if repeated is not None:
        return already_recorded(repeated)
    failure = disagrees(command.run_id)
    failure.__cause__ = error
    return failure
