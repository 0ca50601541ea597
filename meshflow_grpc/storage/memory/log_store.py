"""The part of the memory store that keeps the Merkle log."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import EntryNotFoundError, LedgerUnavailableError
from meshflow_grpc.ledger.merkle_nodes import CompactRange
from meshflow_grpc.ports.log import RawLog
from meshflow_grpc.storage.integration import state_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from meshflow_grpc.domain.stored_row import EntryRow, RunRow
    from meshflow_grpc.ports.log import LogState, NodeKey, StoredHead

RAW_PAGE_ROWS = 500


class MemoryLogStore:
    """LogStore in memory; see ``ports.log.LogStore`` for what it promises."""

    def __init__(self) -> None:
        self._runs: dict[str, RunRow] = {}
        self._entries: dict[str, list[EntryRow]] = {}
        self._in_order: list[EntryRow] = []
        self._edge = CompactRange()
        self._nodes: dict[NodeKey, bytes] = {}
        self._heads: list[StoredHead] = []
        self._closed = False

    async def log_state(self) -> LogState:
        """See LogStore."""
        self._check_open()
        return state_of(self._edge, len(self._in_order))

    def pending_entries(self) -> int:
        """See LogStore."""
        return len(self._in_order) - self._edge.size

    async def integrate(self, limit: int) -> LogState:
        """See LogStore."""
        self._check_open()
        rows = self._in_order[self._edge.size : self._edge.size + limit]
        nodes = self._edge.append(cast("bytes", row.record) for row in rows)
        self._nodes.update({(node.level, node.idx): node.hash for node in nodes})
        return await self.log_state()

    async def merkle_nodes(self, keys: Iterable[NodeKey]) -> Mapping[NodeKey, bytes]:
        """See LogStore."""
        return {key: self._nodes[key] for key in keys if key in self._nodes}

    async def newest_head(self) -> StoredHead | None:
        """See LogStore."""
        self._check_open()
        return self._heads[-1] if self._heads else None

    async def head_of_size(self, size: int) -> StoredHead | None:
        """See LogStore."""
        return next((head for head in reversed(self._heads) if head.size == size), None)

    async def add_head(self, head: StoredHead) -> None:
        """See LogStore."""
        self._check_open()
        self._heads.append(head)

    async def seq_of(self, tenant_id: str, run_id: str, sequence: int) -> int:
        """See LogStore."""
        row = self._runs.get(run_id)
        entries = self._entries.get(run_id, [])
        if row is None or row.tenant_id != tenant_id or not 0 < sequence <= len(entries):
            raise EntryNotFoundError(f"entry {sequence} of run {run_id!r} was not found", metadata={"run_id": run_id})
        return cast("int", entries[sequence - 1].seq)

    async def has_entry(self, tenant_id: str, seq: int) -> bool:
        """See LogStore."""
        return 0 < seq <= len(self._in_order) and self._in_order[seq - 1].tenant_id == tenant_id

    async def missing_seqs(self, first: int, last: int, limit: int) -> tuple[int, ...]:
        """See LogStore."""
        return tuple(range(max(first, len(self._in_order) + 1), last + 1))[:limit]

    @asynccontextmanager
    async def raw_log(self) -> AsyncIterator[RawLog]:
        """See LogStore."""
        self._check_open()
        runs = tuple((str(row.tenant_id), run_id) for run_id, row in sorted(self._runs.items(), reverse=True))
        rows = pages(tuple(self._in_order))
        yield RawLog(self._edge.size, runs, tuple(self._heads), rows, self.merkle_nodes)

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerUnavailableError("the ledger is closed")


async def pages(rows: tuple[EntryRow, ...]) -> AsyncIterator[tuple[EntryRow, ...]]:
    """Rows in pages."""
    for start in range(0, len(rows), RAW_PAGE_ROWS):
        yield rows[start : start + RAW_PAGE_ROWS]
