"""All entries of a run, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.ports.storage import Storage

PAGE = 1000


async def entries_of(storage: Storage, run: Run) -> tuple[LedgerEntry, ...]:
    """Returns the entries in the order of the run's chain."""
    entries: list[LedgerEntry] = []
    while True:
        page = await storage.entries(run.tenant_id, run.run_id, after_sequence=len(entries), limit=PAGE)
        entries.extend(page)
        if len(page) < PAGE:
            return tuple(entries)
