"""What a broken-off run or write means to whoever waits for it."""

from __future__ import annotations

from meshflow_grpc.domain.errors import LedgerUnavailableError, MeshflowError, StoppedError

RETRY_AFTER_S = 1.0


def stopped() -> StoppedError:
    """What callers of a run are told whose server stops."""
    message = "the server stopped before the run ended; it goes on on another server, or after the restart"
    return StoppedError(message, retry_after_s=RETRY_AFTER_S)


def may_have_arrived(error: MeshflowError) -> bool:
    """Whether a write that failed may be in the ledger all the same: the store was lost before it could answer.

    A run that was started so goes on by itself, as it would after a restart; repeating the request attaches to it.
    """
    return isinstance(error, LedgerUnavailableError) and "cause" in error.metadata
