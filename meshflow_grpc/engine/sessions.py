"""Sessions whose runs share a budget, as this process knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import nano_usd
from meshflow_grpc.governance.session_budget import SessionAccount

if TYPE_CHECKING:
    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.governance.session_budget import SessionShare
    from meshflow_grpc.ports.storage import Storage


class Sessions:
    """One account per session that has a run under a session budget here; read from the ledger when the first of them begins."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._accounts: dict[tuple[str, str], SessionAccount] = {}

    async def join(self, run: Run, policy: Policy, *, lost_nano_usd: int = 0) -> SessionShare | None:
        """The run's share; None without a session budget. ``lost`` is what a resumed run is charged for what broke off.

        Raises LedgerUnavailableError.
        """
        if policy.session_budget_usd is None or run.session_id is None:
            return None
        key = (run.tenant_id, run.session_id)
        if key not in self._accounts:
            use = await self._storage.session_use(*key)
            self._accounts.setdefault(key, SessionAccount(use.total_nano_usd))
        limit = nano_usd(policy.session_budget_usd)
        return self._accounts[key].join(run.run_id, run.session_id, limit, lost_nano_usd)

    def leave(self, run: Run) -> None:
        """Ends the share of a run that ended or waits for a human."""
        key = (run.tenant_id, run.session_id or "")
        account = self._accounts.get(key)
        if account is not None and account.leave(run.run_id):
            del self._accounts[key]
