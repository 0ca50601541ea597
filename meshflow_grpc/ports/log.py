"""The part of a ledger store that keeps the Merkle log over all entries (docs/merkle-log.md).

Leaf n of the log is the record of the entry with seq n + 1. An entry is *sequenced* when its append returns, *integrated* when its
leaf is stored, and *published* when a signed head covers it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from meshflow_grpc.domain.stored_row import LogRow

NodeKey = tuple[int, int]
"""Level and index of a stored subtree."""


@dataclass(frozen=True, slots=True)
class LogState:
    """The tree as stored: its size and root, and the seq of the newest entry, which is in the tree when both are equal."""

    size: int
    root: bytes
    newest_seq: int

    @property
    def pending(self) -> int:
        """How many entries are not in the tree yet."""
        return self.newest_seq - self.size


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A signed head: tree size, root, the note as signed, and when it was signed."""

    size: int
    root: bytes
    note: str
    time: str


@dataclass(frozen=True, slots=True)
class RawLog:
    """The log as stored at one moment, whatever tampering left in it.

    ``runs`` are tenant and id, as stored, of every run that has a row, newest first, and of those that have only entries. ``pages`` are
    all entries by seq; ``heads`` all heads, oldest first. ``nodes`` reads stored subtrees; ``size`` is how many leaves are stored,
    ``subtrees`` how many subtrees, leaves among them.
    """

    size: int
    subtrees: int
    runs: tuple[tuple[object, object], ...]
    heads: tuple[StoredHead, ...]
    pages: AsyncIterator[tuple[LogRow, ...]]
    nodes: NodeReader


class NodeReader(Protocol):
    """Reads stored subtrees; those that are not stored are missing in the answer."""

    async def __call__(self, keys: Iterable[NodeKey]) -> Mapping[NodeKey, bytes]:
        """Returns the hashes of the subtrees named."""
        ...


class LogStore(Protocol):
    """Keeps the log. Integration MUST be idempotent: repeated, interrupted by kill -9 or resumed, it gives the same rows.

    Raises LedgerUnavailableError when the store cannot be used now, LogInconsistentError when what it holds cannot be one log.
    """

    async def log_state(self) -> LogState:
        """Returns the tree as stored; raises LogInconsistentError when it is not whole."""
        ...

    def pending_entries(self) -> int:
        """Returns how many entries wait for integration, without reading."""
        ...

    async def integrate(self, limit: int) -> LogState:
        """Adds the leaves of up to ``limit`` entries, in the order of seq, in one transaction; appends go on meanwhile.

        MUST raise LogInconsistentError when an entry is missing between the tree's end and the newest entry.
        """
        ...

    async def merkle_nodes(self, keys: Iterable[NodeKey]) -> Mapping[NodeKey, bytes]:
        """Returns the stored hashes of the subtrees named; O(number of keys)."""
        ...

    async def newest_head(self) -> StoredHead | None:
        """Returns the head added last."""
        ...

    async def head_of_size(self, size: int) -> StoredHead | None:
        """Returns the newest head of exactly this size."""
        ...

    async def add_head(self, head: StoredHead) -> None:
        """Adds a signed head; durable when it returns."""
        ...

    async def seq_of(self, tenant_id: str, run_id: str, sequence: int) -> int:
        """Returns the seq of an entry; raises EntryNotFoundError, also for another tenant's."""
        ...

    async def has_entry(self, tenant_id: str, seq: int) -> bool:
        """Whether the entry with this seq is the tenant's."""
        ...

    async def missing_seqs(self, first: int, last: int, limit: int) -> tuple[int, ...]:
        """Returns up to ``limit`` seqs from first to last that no entry has and no tombstone accounts for."""
        ...

    def raw_log(self) -> AbstractAsyncContextManager[RawLog]:
        """Reads the whole log as stored, at one moment, for verification."""
        ...
