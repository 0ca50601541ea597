"""Who executes which run, when several servers share one ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from meshflow_grpc.domain.run import Run


class RunLeases(Protocol):
    """This server's leases. A run that it starts is its own; another server may take it up once this one's lease has expired.

    Whoever has a run taken from them is fenced: appends to it raise RunFencedError. All methods raise LedgerUnavailableError.
    """

    @property
    def shared(self) -> bool:
        """Whether there can be other servers."""
        ...

    def current(self) -> bool:
        """Whether this server's lease was renewed in time, without I/O: no other server can have taken its runs."""
        ...

    def accompanied(self) -> bool:
        """Whether other servers were alive when the lease was last renewed, without I/O."""
        ...

    async def renew(self) -> None:
        """Keeps the lease of this server, and with it of all its runs."""
        ...

    async def confirm(self, run_id: str) -> None:
        """Renews a lease that may have expired; raises RunFencedError when another server has taken the run up."""
        ...

    async def claim(self, run_id: str) -> bool:
        """Takes a run that waits or is free, so that no other server decides about it; False when another one has it."""
        ...

    async def give_back(self, run_id: str) -> None:
        """Undoes ``claim`` of a run that still waits."""
        ...

    async def orphans(self, limit: int, besides: Collection[str] = ()) -> tuple[Run, ...]:
        """Returns what ``claim_orphans`` would take up, and takes nothing."""
        ...

    async def claim_orphans(self, limit: int, besides: Collection[str] = ()) -> tuple[Run, ...]:
        """Takes up running runs that no live server has, oldest first; ``besides`` are left alone."""
        ...

    async def lost(self, run_ids: Collection[str]) -> frozenset[str]:
        """Returns which of these runs another server has taken up."""
        ...

    async def request_cancel(self, run_id: str, detail: str) -> bool:
        """Asks the server that executes a run to cancel it; False when there can be no other server."""
        ...

    async def cancellations(self) -> Mapping[str, str]:
        """Returns what other servers ask this one to cancel: details by run."""
        ...

    def listen(self, on_runs: Callable[[Collection[str]], None], on_duty: Callable[[], None]) -> None:
        """Tells of runs that others wrote, and that there may be something to claim or to cancel. Hints: some may be missing."""
        ...

    async def hand_over(self, run_id: str) -> None:
        """Gives up a running run, for another server to take up at once; nothing of it may be written here any more."""
        ...

    async def leave(self) -> None:
        """Hands over all runs and ends the lease. Idempotent."""
        ...
