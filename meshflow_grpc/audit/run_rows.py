"""The runs as the ledger states them, against what their records say (check 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshflow_grpc.audit.canonical_json import NotCanonicalError, canonical, parse_object
from meshflow_grpc.audit.payloads import opens
from meshflow_grpc.audit.report import Check, Finding
from meshflow_grpc.audit.run_state import USAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.audit.archive import Archive
    from meshflow_grpc.audit.report import Report
    from meshflow_grpc.audit.run_state import RunState

FILE = "runs.jsonl"
OPEN_STATES = frozenset({"running", "paused"})

_HEADER = (
    "workflow",
    "policy_digest",
    "policy",
    "create_time",
    "principal_id",
    "session_id",
    "request_id",
    "request_fingerprint",
    "labels",
)
_COLUMNS = {
    *_HEADER,
    *USAGE,
    "run_id",
    "tenant_id",
    "status",
    "update_time",
    "output",
    "output_salt",
    "entries",
    "head_hash",
    "blocked_by",
    "reason",
    "reason_salt",
    "header_salt",
}


def read_runs(archive: Archive, report: Report, states: dict[str, RunState]) -> dict[str, dict[str, Any]]:
    """Verifies each run's row and returns the rows by run id."""
    rows: dict[str, dict[str, Any]] = {}
    for number, data in archive.lines(FILE):
        try:
            row = parse_object(data)
        except NotCanonicalError as error:
            report.add(Finding(Check.RUNS, FILE, f"the line {error}", number))
            continue
        run_id = str(row.get("run_id"))
        if row.keys() - {"withheld"} != _COLUMNS:
            report.add(Finding(Check.RUNS, FILE, "the line does not have the columns of a run", number, run_id))
        elif run_id in rows or run_id not in states:
            message = "is there twice" if run_id in rows else "has no record in the bundle"
            report.add(Finding(Check.RUNS, FILE, message, number, run_id))
        else:
            rows[run_id] = row
            for field, message in _faults(row, states[run_id]):
                report.add(Finding(Check.RUNS, FILE, message, number, run_id, field=field))
    for run_id in states.keys() - rows.keys():
        report.add(Finding(Check.RUNS, FILE, "the run has records but no line here", run_id=run_id))
    return rows


def _faults(row: dict[str, Any], run: RunState) -> Iterator[tuple[str, str]]:
    expected: dict[str, Any] = {
        "run_id": run.run_id,
        "tenant_id": run.tenant_id,
        "status": _told(run, "status"),
        "blocked_by": _told(run, "blocked_by"),
        "update_time": run.time,
        "entries": run.sequence,
        "head_hash": run.head,
        **run.usage,
    }
    for field, value in expected.items():
        if row[field] != value or type(row[field]) is not type(value):
            yield field, f"the row says {row[field]!r}, the records {value!r}"
    yield from _text_faults(row, run)
    if str(row["status"]) not in OPEN_STATES and (not run.finished or run.kind_after_end):
        what = f"{run.kind_after_end} follows run_finished" if run.finished else "it has no run_finished entry"
        yield "status", f"the run is {row['status']}, but {what}"


def _told(run: RunState, field: str) -> str | None:
    told = run.told.get(field)
    return None if told is None else told.value


def _text_faults(row: dict[str, Any], run: RunState) -> Iterator[tuple[str, str]]:
    """Compares header, output and reason with their commitments."""
    withheld = row.get("withheld", [])
    if not isinstance(withheld, list) or not {"output", "reason"}.issuperset(map(str, withheld)):
        yield "withheld", "must be a list of output, reason or both"
        return
    texts = {
        "header": canonical([row[name] for name in _HEADER]).decode(),
        "output": row["output"],
        "reason": row["reason"],
    }
    for field, text in texts.items():
        told, salt = run.told.get(field), row[f"{field}_salt"]
        name = f"run_{field}"
        if told is None:
            if field == "header" or salt is not None or text != ("" if field == "output" else None):
                yield field, "no record commits to it"
        elif field in withheld or (salt is None and run.erasure_of(told.sequence, name) is not None):
            if field != "header" and text not in ("", None):
                yield field, "is withheld or erased, and yet there is a text"
        elif not opens(told.value, run.tenant_id, run.run_id, told.sequence, name, salt, text):
            yield field, f"text and salt do not match the commitment in entry {told.sequence}"
