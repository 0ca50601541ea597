"""All entries of a run, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.ports.storage import Storage

PAGE = 1000


async def run_entries(storage: Storage, tenant_id: str, run_id: str) -> tuple[LedgerEntry, ...]:
    """Returns the entries of a run in the order of its chain; raises RunNotFoundError, also for another tenant's run."""
    found: list[LedgerEntry] = []
    while True:
        after = found[-1].sequence if found else 0
        page = await storage.entries(tenant_id, run_id, after_sequence=after, limit=PAGE)
        found.extend(page)
        if len(page) < PAGE:
            return tuple(found)
