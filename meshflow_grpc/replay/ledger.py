"""ReplayLedger: the runs of a ledger from Python."""

from __future__ import annotations

from meshflow_grpc.replay.awaitable import AwaitableLedger
from meshflow_grpc.replay.sync_ledger import SyncReplayLedger


class ReplayLedger(AwaitableLedger):
    """A ledger by its address: a file, or ``postgresql://…``. Each call opens it, so that it can be used beside a server.

    Reading never writes or creates anything. What writes (``write``, ``finish_run``, ``fork``, ``anonymize_run``, ``delete_run``)
    needs the ledger for itself: stop the server first. ``async with`` keeps it open for writing between calls.
    All methods raise RunNotFoundError for a run that is not the tenant's, LedgerUnavailableError, and PayloadKeyUnavailableError when
    what was encrypted lacks its key. Keys that are not given are those of MESHFLOW_PAYLOAD_KEY.
    """

    def sync(self) -> SyncReplayLedger:
        """Returns the same ledger for code that is not asynchronous."""
        return SyncReplayLedger(self)
