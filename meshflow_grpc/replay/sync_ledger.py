"""ReplayLedger for code that is not asynchronous."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from meshflow_grpc.commands.erase_run import ErasedRun
    from meshflow_grpc.domain.check import ChainVerification
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.engine.fork import ForkPoint
    from meshflow_grpc.ledger.run_diff import RunDiff
    from meshflow_grpc.replay.awaitable import AwaitableLedger
    from meshflow_grpc.replay.step_record import StepRecord

T = TypeVar("T")


class SyncReplayLedger:
    """Each method does what ReplayLedger's of the same name does, and returns when it is done.

    Raises RuntimeError inside a running event loop: there, await ReplayLedger's own methods.
    """

    def __init__(self, ledger: AwaitableLedger) -> None:
        self._ledger = ledger

    def write(self, step_record: StepRecord, *, principal_id: str = "local") -> LedgerEntry:
        """See ReplayLedger.write."""
        return _wait(self._ledger.write(step_record, principal_id=principal_id))

    def finish_run(
        self,
        run_id: str,
        *,
        status: str = "completed",
        output: str = "",
        reason: str | None = None,
        principal_id: str = "local",
    ) -> LedgerEntry:
        """See ReplayLedger.finish_run."""
        return _wait(
            self._ledger.finish_run(run_id, status=status, output=output, reason=reason, principal_id=principal_id)
        )

    def get_run(self, run_id: str) -> list[LedgerEntry]:
        """See ReplayLedger.get_run."""
        return _wait(self._ledger.get_run(run_id))

    def list_runs(self) -> list[str]:
        """See ReplayLedger.list_runs."""
        return _wait(self._ledger.list_runs())

    def run_summary(self, run_id: str) -> dict[str, Any]:
        """See ReplayLedger.run_summary."""
        return _wait(self._ledger.run_summary(run_id))

    def load_state(self, run_id: str, *, step_index: int) -> LedgerEntry:
        """See ReplayLedger.load_state."""
        return _wait(self._ledger.load_state(run_id, step_index=step_index))

    def diff(self, run_a: str, run_b: str) -> RunDiff:
        """See ReplayLedger.diff."""
        return _wait(self._ledger.diff(run_a, run_b))

    def fork(self, run_id: str, from_step: int, *, principal_id: str = "local") -> str:
        """See ReplayLedger.fork."""
        return _wait(self._ledger.fork(run_id, from_step, principal_id=principal_id))

    def fork_before(self, run_id: str, point: ForkPoint, *, principal_id: str = "local") -> str:
        """See ReplayLedger.fork_before."""
        return _wait(self._ledger.fork_before(run_id, point, principal_id=principal_id))

    def verify_chain(self, run_id: str) -> ChainVerification:
        """See ReplayLedger.verify_chain."""
        return _wait(self._ledger.verify_chain(run_id))

    def export_run(self, run_id: str) -> str:
        """See ReplayLedger.export_run."""
        return _wait(self._ledger.export_run(run_id))

    def export_run_csv(self, run_id: str) -> str:
        """See ReplayLedger.export_run_csv."""
        return _wait(self._ledger.export_run_csv(run_id))

    def anonymize_run(
        self, run_id: str, *, principal_id: str = "local", basis: str = "gdpr art. 17", include_forks: bool = False
    ) -> int:
        """See ReplayLedger.anonymize_run."""
        return _wait(
            self._ledger.anonymize_run(run_id, principal_id=principal_id, basis=basis, include_forks=include_forks)
        )

    def delete_run(
        self, run_id: str, *, principal_id: str = "local", basis: str = "gdpr art. 17", include_forks: bool = False
    ) -> int:
        """See ReplayLedger.delete_run."""
        return _wait(
            self._ledger.delete_run(run_id, principal_id=principal_id, basis=basis, include_forks=include_forks)
        )

    def erase_run(
        self, run_id: str, mode: str, *, principal_id: str = "local", basis: str, include_forks: bool = False
    ) -> ErasedRun:
        """See ReplayLedger.erase_run."""
        return _wait(
            self._ledger.erase_run(run_id, mode, principal_id=principal_id, basis=basis, include_forks=include_forks)
        )


def _wait(call: Coroutine[Any, Any, T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(call)
    call.close()
    raise RuntimeError(
        "an event loop runs here, which this would hold up; await ReplayLedger's own methods, without sync()"
    )
