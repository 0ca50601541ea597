"""The part of the memory store that keeps the Merkle log."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar, cast

from meshflow_grpc.domain.errors import EntryNotFoundError, LedgerUnavailableError
from meshflow_grpc.domain.stored_row import LogRow
from meshflow_grpc.ledger.merkle_nodes import CompactRange
from meshflow_grpc.ports.log import RawLog
from meshflow_grpc.storage.integration import missing_of, state_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from meshflow_grpc.domain.stored_row import EntryRow, RunRow
    from meshflow_grpc.ports.log import LogState, NodeKey, StoredHead

RAW_PAGE_ROWS = 500
Row = TypeVar("Row")


class MemoryLogStore:
    """LogStore in memory; see ``ports.log.LogStore`` for what it promises."""

    def __init__(self) -> None:
        self._runs: dict[str, RunRow] = {}
        self._entries: dict[str, list[EntryRow]] = {}
        self._in_order: list[EntryRow | None] = []
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
        nodes = self._edge.append(cast("bytes", row.record) for row in rows if row is not None)
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
        found = [row for row in self._entries.get(run_id, []) if (row.tenant_id, row.sequence) == (tenant_id, sequence)]
        if not found:
            raise EntryNotFoundError(f"entry {sequence} of run {run_id!r} was not found", metadata={"run_id": run_id})
        return cast("int", found[0].seq)

    async def has_entry(self, tenant_id: str, seq: int) -> bool:
        """See LogStore."""
        row = self._in_order[seq - 1] if 0 < seq <= len(self._in_order) else None
        return row is not None and row.tenant_id == tenant_id

    async def missing_seqs(self, first: int, last: int, limit: int) -> tuple[int, ...]:
        """See LogStore."""
        rows = self._present()
        found = [seq for row in rows if first <= (seq := cast("int", row.seq)) <= last]
        return missing_of(first, last, found, [row.record for row in rows if row.kind == "run_deleted"], limit)

    @asynccontextmanager
    async def raw_log(self) -> AsyncIterator[RawLog]:
        """See LogStore."""
        self._check_open()
        runs = tuple((str(row.tenant_id), run_id) for run_id, row in sorted(self._runs.items(), reverse=True))
        runs += tuple(
            (str(rows[0].tenant_id), run_id) for run_id, rows in self._entries.items() if run_id not in self._runs
        )
        rows = pages(tuple(map(LogRow.of, self._present())))
        yield RawLog(self._edge.size, len(self._nodes), runs, tuple(self._heads), rows, self.merkle_nodes)

    def _present(self) -> tuple[EntryRow, ...]:
        return tuple(row for row in self._in_order if row is not None)

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerUnavailableError("the ledger is closed")


async def pages(rows: tuple[Row, ...]) -> AsyncIterator[tuple[Row, ...]]:
    """Rows in pages."""
    for start in range(0, len(rows), RAW_PAGE_ROWS):
        yield rows[start : start + RAW_PAGE_ROWS]
