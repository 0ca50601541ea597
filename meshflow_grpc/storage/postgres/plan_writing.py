"""Writes a planned batch, inside its transaction, and says why one was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.storage.batch import CreateRun, already_recorded, disagrees, run_exists
from meshflow_grpc.storage.postgres.batch_statement import write_batch
from meshflow_grpc.storage.postgres.ledger import delete_entries, erase_payloads, recorded
from meshflow_grpc.storage.postgres.payload_keys import delete_keys, insert_keys
from meshflow_grpc.storage.postgres.runs import delete_runs, erase_texts
from meshflow_grpc.storage.postgres.signals import NOTIFY, RUNS_CHANNEL, payloads

if TYPE_CHECKING:
    import asyncpg

    from meshflow_grpc.domain.errors import MeshflowError
    from meshflow_grpc.storage.batch import Command, Plan
    from meshflow_grpc.storage.postgres.fence import Fence


async def write_plan(connection: Any, plan: Plan, fence: Fence) -> None:
    """Writes all of a plan, in a transaction if it takes several statements.

    Raises OvertakenError or FencedError when the plan does not hold any more.
    """
    if plan.keys or plan.erased_runs or plan.deleted_runs or fence.notifies:
        async with connection.transaction(isolation="read_committed"):
            await write_batch(connection, plan, fence)
            await _write_more(connection, plan, fence)
    else:
        await write_batch(connection, plan, fence)


async def _write_more(connection: Any, plan: Plan, fence: Fence) -> None:
    if plan.keys:
        await insert_keys(connection, plan.keys)
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
