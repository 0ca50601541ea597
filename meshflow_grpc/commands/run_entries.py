"""All entries of a run, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.ports.storage import Storage

_PAGE = 1000


async def run_entries(storage: Storage, tenant_id: str, run_id: str) -> list[LedgerEntry]:
    """Returns the entries of a run in the order of its chain; raises RunNotFoundError, also for another tenant's run."""
    found: list[LedgerEntry] = []
    while page := await storage.entries(
        tenant_id, run_id, after_sequence=found[-1].sequence if found else 0, limit=_PAGE
    ):
        found += page
    return found
