"""What a session has used, read from its runs' totals and their open reservations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from meshflow_grpc.domain.errors import LedgerUnavailableError
from meshflow_grpc.domain.ledger_entry import OUTCOME_KINDS, RESERVATION_MARK, EntryKind
from meshflow_grpc.domain.usage import SessionUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshflow_grpc.domain.stored_row import EntryRow

# A reservation is open until its step has an outcome, or the run was resumed, which charges it.
_OPEN: Final = """
SELECT {columns} FROM ledger_entries e JOIN runs r ON r.run_id = e.run_id
WHERE r.tenant_id = {tenant} AND r.session_id = {session} AND r.status = 'running' AND e.kind = '{reserved}' AND e.seq <= {up_to}
AND NOT EXISTS (
    SELECT 1 FROM ledger_entries o WHERE o.run_id = e.run_id AND o.step_id = {step} AND o.sequence > e.sequence
    AND o.kind IN ({outcomes}))
AND NOT EXISTS (
    SELECT 1 FROM ledger_entries o WHERE o.run_id = e.run_id AND o.step_id = {resumed} AND o.attempt = 1
    AND o.kind = '{run_resumed}')
"""


def select_use(*, tenant: str, session: str, up_to: str, step: str, resumed: str, spent_type: str) -> str:
    """Returns SQL in one dialect: rows (step, sequence, record) of open reservations, and one with the runs' total as sequence."""
    outcomes = ", ".join(f"'{kind.value}'" for kind in sorted(OUTCOME_KINDS))
    columns = "e.run_id || ' ' || " + step + " AS step, e.sequence AS sequence, e.record AS record"
    still_open = _OPEN.format(
        columns=columns,
        tenant=tenant,
        session=session,
        up_to=up_to,
        reserved=EntryKind.BUDGET_RESERVED.value,
        step=step,
        outcomes=outcomes,
        resumed=resumed,
        run_resumed=EntryKind.RUN_RESUMED.value,
    )
    return (
        f"SELECT '' AS step, CAST(coalesce(sum(cost_nano_usd), 0) AS {spent_type}) AS sequence, NULL AS record FROM runs "  # noqa: S608
        f"WHERE tenant_id = {tenant} AND session_id = {session} UNION ALL {still_open}"
    )


def session_use(rows: Iterable[Sequence[Any]]) -> SessionUse:
    """Returns the use that the rows of ``select_use`` state: a step's newest reservation counts for the step."""
    spent = 0
    newest: dict[str, tuple[int, bytes]] = {}
    for step, sequence, record in rows:
        if not step:
            spent = int(sequence)
        elif step not in newest or newest[step][0] < sequence:
            newest[step] = (sequence, record)
    return SessionUse(spent, sum(reserved_nano_usd(record) for _, record in newest.values()))


def reserved_nano_usd(record: bytes) -> int:
    """Returns what a budget_reserved entry says its step may cost; raises LedgerUnavailableError when it is damaged."""
    try:
        return int(orjson.loads(record)["facts"]["worst_case"]["cost_nano_usd"])
    except (ValueError, TypeError, KeyError) as error:
        raise LedgerUnavailableError("a reservation of the session is damaged; verify its runs' chains") from error


def step_of(reservation_id: str) -> str:
    """The step that a reservation belongs to."""
    return reservation_id.partition(RESERVATION_MARK)[0]


def open_reservations(rows: Iterable[EntryRow], up_to_seq: int) -> dict[str, int]:
    """Returns what the steps of a run have reserved and not settled, by step; the meaning of the SQL, row by row."""
    found: dict[str, int] = {}
    for row in rows:
        if row.kind == EntryKind.BUDGET_RESERVED and cast("int", row.seq) > up_to_seq:
            continue
        if row.kind == EntryKind.BUDGET_RESERVED:
            found[step_of(str(row.step_id))] = reserved_nano_usd(cast("bytes", row.record))
        elif row.kind == EntryKind.RUN_RESUMED:
            found.clear()
        elif row.kind in OUTCOME_KINDS:
            found.pop(str(row.step_id), None)
    return found
