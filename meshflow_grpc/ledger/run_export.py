"""A run as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from meshflow_grpc.ledger.run_diff import STEP_ENDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Run

CSV_COLUMNS = (
    *("seq", "sequence", "run_id", "kind", "time", "node_id", "step_id", "attempt"),
    *("input", "output", "prev_hash", "hash", "record"),
)
# Full-width forms are signs too where such keyboards are used; some programs skip spaces before a sign.
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CELL_STARTS = ("\t", "\r", "\n")


def run_json(run: Run, entries: Iterable[LedgerEntry]) -> str:
    """Returns the run and its entries; ``record`` is the canonical text that the hash covers."""
    return json.dumps(
        {"run": _run_json(run), "entries": [entry_json(entry) for entry in entries]}, ensure_ascii=False, indent=2
    )


def _run_json(run: Run) -> dict[str, Any]:
    waits = run.pending_approval
    nested = {"usage": run.usage._asdict(), "pending_approval": None if waits is None else asdict(waits)}
    return {**run._asdict(), "policy": dict(run.policy), "labels": dict(run.labels), **nested}


def run_csv(entries: Iterable[LedgerEntry]) -> str:
    """Returns the entries as CSV (RFC 4180). A cell a spreadsheet would run as a formula starts with ``'`` (OWASP, CSV injection)."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(CSV_COLUMNS)
    for entry in entries:
        cells = entry_json(entry)
        writer.writerow([_inert(cells[name]) for name in CSV_COLUMNS])
    return text.getvalue()


def entry_json(entry: LedgerEntry) -> dict[str, Any]:
    """Returns an entry with all that a verifier needs."""
    fields = entry._asdict()
    fields["kind"] = entry.kind.value
    fields["record"] = entry.record.decode()
    fields["verdict"] = entry.kind.value.removeprefix("step_") if entry.kind in STEP_ENDS else None
    return fields


def _inert(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_CELL_STARTS) or text.lstrip().startswith(_FORMULA_STARTS) else text
