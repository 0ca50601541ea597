"""ListEntries: the ledger entries of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.commands.list_runs import page_size_or_default
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError

if TYPE_CHECKING:
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Principal
    from meshflow_grpc.ports.storage import Storage

DEFAULT_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class EntryPage:
    """One page of entries; an empty token means the last page."""

    entries: tuple[LedgerEntry, ...]
    next_page_token: str


class ListEntriesCommand:
    """Pages through a run's chain. The page token is the last sequence seen."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def execute(self, principal: Principal, run_id: str, *, page_size: int, page_token: str) -> EntryPage:
        """Raises RunNotFoundError, or InvalidRequestError for a page size or token that is not valid."""
        size = page_size_or_default(page_size, DEFAULT_PAGE_SIZE)
        if page_token and not (page_token.isascii() and page_token.isdigit() and len(page_token) <= 18):
            raise InvalidRequestError.of(FieldViolation("page_token", "is not a token of this list"))
        entries = await self._storage.entries(
            principal.tenant_id, run_id, after_sequence=int(page_token or 0), limit=size + 1
        )
        more = len(entries) > size
        return EntryPage(entries[:size], str(entries[size - 1].sequence) if more else "")
