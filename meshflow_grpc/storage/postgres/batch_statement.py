"""The one statement that writes a batch: its place in the ledger, new runs, entries, and what they change in runs.

It is a transaction by itself where nothing else belongs to the batch. The place is taken first, before rows that may collide with
another server's, so that no two wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from meshflow_grpc.domain.stored_row import EntryRow, RunRow
from meshflow_grpc.storage.batch import RunUpdate, updated_row
from meshflow_grpc.storage.postgres.fence import FencedError, OvertakenError
from meshflow_grpc.storage.rows import entry_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshflow_grpc.storage.batch import Plan
    from meshflow_grpc.storage.postgres.fence import Fence

_BIGINTS = frozenset({"seq", "sequence", "attempt", "entries", "steps"}) | {
    "input_tokens",
    "output_tokens",
    "cost_nano_usd",
    "carbon_ug",
}
_RUN_BYTES = ("output", "reason")
_KEPT_WHEN_NULL = frozenset({"status", "output", "output_salt", "blocked_by", "reason", "reason_salt"})


def _arrays(first: int, names: Sequence[str], in_bytes: Sequence[str]) -> str:
    kinds = ("bytea" if name in in_bytes else "bigint" if name in _BIGINTS else "text" for name in names)
    return ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(kinds, start=first))


_ENTRIES = 4
_RUNS = _ENTRIES + len(EntryRow._fields)
_OWNER = _RUNS + len(RunRow._fields)
_UPDATES = _OWNER + 1
_HELD = _UPDATES + len(RunUpdate._fields)
_ASSIGNMENTS = ", ".join(
    f"{name} = coalesce(v.{name}, runs.{name})" if name in _KEPT_WHEN_NULL else f"{name} = v.{name}"
    for name in RunUpdate._fields
    if name != "run_id"
)
# Nothing happens when another server took the place. Each part counts all of the one before it, because triggers look at that: a new
# run must have no entries yet, and an immutable run is changed after its end only if its erasure is recorded. A run that waits or has
# ended is nobody's; when one that changed hands was to be written, the division fails, and the whole statement with it.
_WRITE = f"""\
WITH place AS (
    UPDATE ledger_state SET last_seq = $2 WHERE last_seq = $1 RETURNING 1
), created AS (
    INSERT INTO runs ({", ".join(RunRow._fields)}, owner, epoch)
    SELECT v.*, CASE WHEN v.status = 'running' THEN ${_OWNER} END, 1
    FROM unnest({_arrays(_RUNS, RunRow._fields, _RUN_BYTES)}) AS v({", ".join(RunRow._fields)})
    WHERE EXISTS (SELECT 1 FROM place) RETURNING 1
), entered AS (
    INSERT INTO ledger_entries ({", ".join(EntryRow._fields)})
    SELECT * FROM unnest({_arrays(_ENTRIES, EntryRow._fields, ("record",))})
    WHERE EXISTS (SELECT 1 FROM place) AND (SELECT count(*) FROM created) >= 0 RETURNING 1
), changed AS (
    UPDATE runs SET {_ASSIGNMENTS}, owner = CASE WHEN coalesce(v.status, runs.status) = 'running' THEN runs.owner END
    FROM unnest({_arrays(_UPDATES, RunUpdate._fields, _RUN_BYTES)}, ${_HELD}::bigint[])
    AS v({", ".join(RunUpdate._fields)}, held)
    WHERE runs.run_id = v.run_id AND (runs.epoch = v.held OR (runs.owner IS NULL AND v.held IS NULL))
    AND (SELECT count(*) FROM entered) > 0 RETURNING 1
)
SELECT 1 / CASE WHEN (SELECT count(*) FROM changed) = $3 THEN 1 ELSE 0 END FROM place
"""  # noqa: S608


async def write_batch(connection: Any, plan: Plan, fence: Fence) -> None:
    """Writes entries and runs of a plan; raises OvertakenError or FencedError when the plan does not hold any more."""
    runs = [updated_row(row, plan.updates.get(str(row.run_id))) for row in plan.runs]
    created = {str(row.run_id) for row in runs}
    updates = [update for run_id, update in plan.updates.items() if run_id not in created]
    held = [fence.epochs.get(update.run_id) for update in updates]
    entries = plan.entries
    if fence.owner is not None:
        # Before the answer: should that be lost, the runs may be there all the same, and are this server's.
        fence.epochs.update(dict.fromkeys(created, 1))
    try:
        place = await connection.fetchval(
            _WRITE,
            entries[0].seq - 1,
            entries[-1].seq,
            len(updates),
            *_columns(EntryRow._fields, map(entry_row, entries)),
            *_columns(RunRow._fields, runs),
            fence.owner,
            *_columns(RunUpdate._fields, updates),
            held,
        )
    except asyncpg.DivisionByZeroError as error:
        fence.forget(created)
        raise FencedError from error
    except asyncpg.UniqueViolationError:
        fence.forget(created)
        raise
    if place is None:
        fence.forget(created)
        raise OvertakenError


def _columns(names: Sequence[str], rows: Iterable[Any]) -> list[list[Any]]:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    if names is not EntryRow._fields:
        for name in _RUN_BYTES:
            place = names.index(name)
            columns[place] = [None if text is None else text.encode() for text in columns[place]]
    return columns
