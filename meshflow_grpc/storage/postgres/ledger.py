"""SQL of ``ledger_entries``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.stored_row import EntryRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import EntryDraft

COLUMNS = ", ".join(EntryRow._fields)

_ERASE = (
    "UPDATE ledger_entries SET input = NULL, output = NULL, input_salt = NULL, output_salt = NULL "
    "WHERE run_id = ANY($1::text[])"
)

_DELETE = "DELETE FROM ledger_entries WHERE run_id = ANY($1::text[]) AND kind <> 'run_deleted'"
_SELECT_SEQS_OF = "SELECT seq FROM ledger_entries WHERE run_id = $1"
_SELECT_FIRST_RECORD = "SELECT record FROM ledger_entries WHERE run_id = $1 AND sequence = 1"

SELECT_FORKS = (
    "SELECT run_id, record FROM ledger_entries WHERE tenant_id = $1 AND sequence = 1 "
    "AND position('\"forked_from\":{'::bytea IN record) > 0 ORDER BY run_id"
)

SELECT_PAGE = (
    f"SELECT {COLUMNS} FROM ledger_entries "  # noqa: S608
    "WHERE run_id = $1 AND tenant_id = $2 AND sequence > $3 ORDER BY sequence LIMIT $4"
)
SELECT_RAW = f"SELECT {COLUMNS} FROM ledger_entries WHERE run_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"  # noqa: S608


async def erase_payloads(connection: Any, run_ids: Sequence[str]) -> None:
    """Removes all payloads and salts of runs."""
    await connection.execute(_ERASE, list(run_ids))


async def delete_entries(connection: Any, run_ids: Sequence[str]) -> None:
    """Deletes the entries of runs, but for their tombstones."""
    await connection.execute(_DELETE, list(run_ids))


async def seqs_of(connection: Any, run_id: str) -> list[int]:
    """Returns the seqs of a run's entries."""
    return [int(seq) for (seq,) in await connection.fetch(_SELECT_SEQS_OF, run_id)]


async def first_record(connection: Any, run_id: str) -> object:
    """Returns the record of a run's first entry."""
    return await connection.fetchval(_SELECT_FIRST_RECORD, run_id)


async def last_seq(connection: Any) -> int:
    """Returns the highest seq ever given, also when its row is gone."""
    return int(await connection.fetchval("SELECT last_seq FROM ledger_state"))


async def locked_seq(connection: Any) -> int:
    """Returns the same, and keeps other servers from writing until the transaction ends."""
    return int(await connection.fetchval("SELECT last_seq FROM ledger_state FOR UPDATE"))


async def recorded(connection: Any, drafts: Sequence[EntryDraft]) -> EntryDraft | None:
    """Returns the first of the drafts whose (run_id, step_id, attempt, kind) is in the ledger, or occurs twice among them."""
    sql = "SELECT 1 FROM ledger_entries WHERE run_id = $1 AND step_id = $2 AND attempt = $3 AND kind = $4"
    seen = set()
    for draft in drafts:
        key = (draft.run_id, draft.step_id, draft.attempt, draft.kind.value)
        if key in seen or await connection.fetchval(sql, *key):
            return draft
        seen.add(key)
    return None
