"""What keeps a server from writing to runs that another one has taken up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class OvertakenError(Exception):
    """Another server wrote since the batch was planned."""


class FencedError(Exception):
    """Runs of the batch belong to somebody else by now."""


@dataclass(slots=True)
class Fence:
    """Who writes, and the epoch under which it holds each of its runs. Without an owner only runs that no server holds are written."""

    owner: str | None = None
    epochs: dict[str, int] = field(default_factory=dict)
    # Whether other servers are alive and want to hear of what is written.
    notifies: bool = False
    # The writing connection's process in the database.
    pid: int = 0

    def forget(self, run_ids: Iterable[str]) -> None:
        """Of runs that were not made after all."""
        for run_id in run_ids:
            self.epochs.pop(run_id, None)
