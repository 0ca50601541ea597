"""A durable engine outside this process that gives runs to servers. It is told ids, digests, statuses and times alone."""

from __future__ import annotations

from typing import Protocol


class DispatchUnavailableError(Exception):
    """The engine cannot be reached, or refused; the run is safe in its ledger."""


class RunDispatch(Protocol):
    """Sees to it that each run is driven from its ledger until it has ended. All methods raise DispatchUnavailableError."""

    async def begin(self, tenant_id: str, run_id: str, *, here: bool) -> bool:
        """Takes charge of a run; False when it has charge of it already.

        ``here``: this process executes it now and is only watched; else whichever server has room takes it up.
        """
        ...

    async def decided(self, run_id: str, approval_id: str, action_digest: str) -> None:
        """Says that a gate the run waited at was decided, so that a server takes the run up. Repeated it has no effect."""
        ...

    async def ended(self, run_id: str) -> None:
        """Says that a waiting run ended without being executed further."""
        ...
