"""What the runs of one session share: the sum of what they spent and reserved, held against each run's limit for the session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import NANO_PER_USD, nano_usd
from meshflow_grpc.governance.policy_fields import MAX_USD
from meshflow_grpc.governance.shortfall import Shortfall, up_to, usd_text

if TYPE_CHECKING:
    from meshflow_grpc.domain.usage import SessionUse


@dataclass(slots=True)
class SessionAccount:
    """What this process knows of a session's spending, in nano-USD. Single-threaded: a reservation is atomic.

    The ledger is the authority: ``spent`` starts with what it says, and ``observe`` takes in what others spent meanwhile.
    """

    spent: int
    reserved: int = 0
    shares: dict[str, SessionShare] = field(default_factory=dict)

    def join(self, run_id: str, session_id: str, limit_nano_usd: int, lost: int = 0) -> SessionShare:
        """A run's share. ``lost`` is what an earlier life of the run had reserved when it broke off, now charged to the run."""
        earlier = self.shares.get(run_id)
        if earlier is not None:
            self.reserved -= earlier.reserved
            self.spent += lost
        share = self.shares[run_id] = SessionShare(self, session_id, limit_nano_usd)
        return share

    def leave(self, run_id: str) -> bool:
        """Ends a run's share; returns whether nobody is left."""
        share = self.shares.pop(run_id, None)
        if share is not None:
            self.reserved -= share.reserved
        return not self.shares

    def observe(self, use: SessionUse) -> None:
        """Takes in a reading of the ledger: what is there and not known here was spent elsewhere."""
        self.spent += max(0, use.total_nano_usd - self.spent - self.reserved)


@dataclass(slots=True)
class SessionShare:
    """One run's view of its session: the account, and the most the session may spend as far as this run is concerned."""

    account: SessionAccount
    session_id: str
    limit_nano_usd: int
    reserved: int = 0

    @property
    def left_nano_usd(self) -> int:
        """What the session may still spend as far as this process knows."""
        return self.limit_nano_usd - self.account.spent - self.account.reserved

    def shortfall(self, need: int) -> Shortfall | None:
        """Why a need does not fit on top of all that is spent and reserved; None when it does, or costs nothing."""
        return self._short(need, self.account.spent + self.account.reserved + need)

    def overdrawn(self, need: int, use: SessionUse) -> Shortfall | None:
        """The same by the ledger, in which the need is reserved already: others may have reserved before or at once."""
        self.account.observe(use)
        return self._short(need, use.total_nano_usd)

    def reserve(self, need: int) -> None:
        """Reserves what fits."""
        self.reserved += need
        self.account.reserved += need

    def settle(self, reservation: int, actual: int) -> None:
        """Turns a reservation into what was really used."""
        self.reserved -= reservation
        self.account.reserved -= reservation
        self.account.spent += actual

    def _short(self, need: int, total: int) -> Shortfall | None:
        limit = self.limit_nano_usd
        if need <= 0 or total <= limit:
            return None
        left = usd_text(limit - (total - need))
        enough = up_to(nano_usd(MAX_USD), total, NANO_PER_USD)
        return Shortfall("session_budget_usd", usd_text(limit), left, usd_text(need), enough)
