"""Where single runs are kept outside a ledger database: an append-only journal per run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class PositionTakenError(Exception):
    """Another writer has appended to the run's journal meanwhile."""


@dataclass(frozen=True, slots=True)
class Journal:
    """A run's records from its newest snapshot on, oldest first; ``position`` is where the next one goes."""

    position: int
    records: Sequence[bytes]


class CheckpointStore(Protocol):
    """Keeps journals of runs. Positions count from 0 and are never used twice.

    MUST make a record durable, as far as the service behind it promises, before the call returns. MUST NOT mix journals of different
    runs, whatever their ids. Raises LedgerUnavailableError when the service cannot be used now; driver errors never travel.
    """

    async def load(self, run_id: str) -> Journal:
        """Returns a run's journal; empty at position 0 when there is none."""
        ...

    async def append(self, run_id: str, position: int, record: bytes) -> None:
        """Adds a record. MUST raise PositionTakenError, and keep nothing, unless ``position`` is the journal's next.

        MUST let exactly one of several writers have a position, in whatever processes they are.
        """
        ...

    async def replace(self, run_id: str, position: int, snapshot: bytes) -> None:
        """Adds a record that makes all before it needless, and removes those. MUST refuse as ``append`` does."""
        ...

    async def delete(self, run_id: str) -> bool:
        """Removes a run's journal and returns whether there was one."""
        ...

    async def close(self) -> None:
        """Releases connections. Idempotent."""
        ...
