"""SQL of ``runs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.domain.stored_row import RunRow
from meshflow_grpc.storage.batch import head_of, request_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.errors import MeshflowError
    from meshflow_grpc.ports.storage import RunQuery
    from meshflow_grpc.storage.batch import EarlierRequest, Head, RequestKey
    from meshflow_grpc.storage.postgres.fence import Fence

COLUMNS = ", ".join(RunRow._fields)
_BYTES = frozenset({"output", "reason"})
_SELECT_EPOCHS = "SELECT run_id, owner, epoch FROM runs WHERE run_id = ANY($1::text[])"
_ERASE = (
    "UPDATE runs SET output = ''::bytea, output_salt = NULL, reason = NULL, reason_salt = NULL, session_id = NULL, "
    "request_id = NULL, request_fingerprint = '', labels = '{}', header_salt = v.salt "
    "FROM unnest($1::text[], $2::text[]) AS v(run_id, salt) WHERE runs.run_id = v.run_id"
)

SELECT_ONE = f"SELECT {COLUMNS} FROM runs WHERE run_id = $1 AND tenant_id = $2"  # noqa: S608
SELECT_UNFINISHED = f"SELECT {COLUMNS} FROM runs WHERE status = 'running' ORDER BY run_id"  # noqa: S608
SELECT_PAUSED = f"SELECT {COLUMNS} FROM runs WHERE status = 'paused' AND run_id > $1 ORDER BY run_id LIMIT $2"  # noqa: S608
_SELECT_HEADS = f"SELECT {COLUMNS} FROM runs WHERE run_id = ANY($1::text[])"  # noqa: S608
_SELECT_REQUESTS = (
    f"SELECT {COLUMNS} FROM runs WHERE request_id IS NOT NULL AND (tenant_id, request_id) IN "  # noqa: S608
    "(SELECT * FROM unnest($1::text[], $2::text[]))"
)


def row_of(found: Mapping[str, Any]) -> RunRow:
    """Returns a row as the other stores have it: output and reason are text."""
    values = dict(found)
    for name in _BYTES:
        if values[name] is not None:
            values[name] = values[name].decode("utf-8", "surrogateescape")
    return RunRow(**values)


async def fenced_runs(connection: Any, run_ids: Sequence[str], fence: Fence) -> set[str]:
    """Returns which runs somebody else took or holds; those, and those that are nobody's any more, are not held from here on."""
    lost = set()
    for run_id, owner, epoch in await connection.fetch(_SELECT_EPOCHS, list(run_ids)):
        held = fence.epochs.get(run_id)
        if held != epoch and not (held is None and owner is None):
            lost.add(str(run_id))
        if held != epoch or owner is None:
            fence.epochs.pop(run_id, None)
    return lost


async def erase_texts(connection: Any, header_salts: Mapping[str, str]) -> None:
    """Removes what may name a person from runs, whose header has a new salt then."""
    await connection.execute(_ERASE, list(header_salts), list(header_salts.values()))


async def select_row(connection: Any, run_id: str) -> RunRow | None:
    """Returns a run's row."""
    found = await connection.fetch(_SELECT_HEADS, [run_id])
    return row_of(found[0]) if found else None


async def delete_runs(connection: Any, run_ids: Sequence[str]) -> None:
    """Deletes the rows of runs."""
    await connection.execute("DELETE FROM runs WHERE run_id = ANY($1::text[])", list(run_ids))


async def select_heads(connection: Any, run_ids: Sequence[str]) -> dict[str, Head | MeshflowError]:
    """Returns the heads of the runs that exist."""
    rows = map(row_of, await connection.fetch(_SELECT_HEADS, list(run_ids)))
    return {str(row.run_id): head_of(row) for row in rows}


async def select_requests(connection: Any, keys: Sequence[RequestKey]) -> dict[RequestKey, EarlierRequest]:
    """Returns fingerprint and run of the (tenant_id, request_id) pairs that were used before."""
    tenants, requests = zip(*keys, strict=True)
    rows = map(row_of, await connection.fetch(_SELECT_REQUESTS, list(tenants), list(requests)))
    return {(str(row.tenant_id), str(row.request_id)): request_of(row) for row in rows}


def select_page(query: RunQuery, below_run_id: str) -> tuple[str, list[object]]:
    """Returns SQL and parameters of a page of runs, newest first, one row longer than the page."""
    wanted = (
        ("tenant_id =", query.tenant_id),
        ("status =", query.status),
        ("workflow =", query.workflow),
        ("session_id =", query.session_id),
        ("run_id <", below_run_id),
    )
    conditions = [(text, value) for text, value in wanted if value or text == "tenant_id ="]
    where = " AND ".join(f"{text} ${place}" for place, (text, _) in enumerate(conditions, start=1))
    sql = f"SELECT {COLUMNS} FROM runs WHERE {where} ORDER BY run_id DESC LIMIT ${len(conditions) + 1}"  # noqa: S608
    return sql, [*(value for _, value in conditions), query.page_size + 1]
