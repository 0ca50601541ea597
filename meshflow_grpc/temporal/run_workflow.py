"""What Temporal keeps of a run: who drives it, and what it waits for. The run itself is in the ledger."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

DRIVE: Final = "meshflow.drive_run"
CANCEL: Final = "meshflow.cancel_run"
# A run ends by its policy's timeout_s; whoever drives it is watched by heartbeats.
_LONGEST: Final = timedelta(days=3650)
# Another server has the run, or none has room: asked again this often.
_AGAIN: Final = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=1.5, maximum_interval=timedelta(seconds=10)
)
_ONCE: Final = RetryPolicy(maximum_attempts=1)


@dataclass(frozen=True)
class RunOrder:
    """A run to see through. ``creator`` is the queue of the server that executes its first life; empty when there is none."""

    tenant_id: str
    run_id: str
    heartbeat_s: float
    creator: str = ""


@dataclass(frozen=True)
class Drive:
    """What an activity is told."""

    tenant_id: str
    run_id: str


@dataclass(frozen=True)
class Progress:
    """What an activity answers: status, and of a paused run its gates (action digest by approval) and how long they wait."""

    status: str
    gates: dict[str, str] = field(default_factory=dict)
    wait_s: float | None = None


@workflow.defn(name="meshflow.run")
class RunWorkflow:
    """Has one run driven until it has ended; between two lives it waits for a decision, or for the time of its gates."""

    def __init__(self) -> None:
        self._gates: dict[str, str] | None = None
        self._decided: set[str] = set()

    @workflow.run
    async def run(self, order: RunOrder) -> str:
        """Returns the status the run ended with. A cancellation is recorded in the ledger before it has effect here."""
        drive = Drive(order.tenant_id, order.run_id)
        try:
            return await self._until_ended(order, drive)
        except (asyncio.CancelledError, ActivityError):
            if workflow.cancellation_reason() is None:
                raise
        progress = await _activity(CANCEL, drive, order.heartbeat_s)
        return progress.status

    @workflow.update
    def decided(self, approval_id: str, action_digest: str) -> None:
        """Says that a gate was decided: in the ledger, where the server that drives the run looks for it."""
        del action_digest
        self._decided.add(approval_id)

    @decided.validator
    def _names_what_is_asked(self, approval_id: str, action_digest: str) -> None:
        """While the run is driven nothing is asked yet, or not known here."""
        if self._gates is not None and self._gates.get(approval_id) != action_digest:
            raise ValueError("the run does not wait for this approval of this action")

    async def _until_ended(self, order: RunOrder, drive: Drive) -> str:
        progress = await _first_life(order, drive) if order.creator else None
        while True:
            if progress is None:
                progress = await _activity(DRIVE, drive, order.heartbeat_s)
            if progress.wait_s is None:
                return progress.status
            await self._decision(progress)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(RunOrder(order.tenant_id, order.run_id, order.heartbeat_s))
            progress = None

    async def _decision(self, progress: Progress) -> None:
        self._gates = progress.gates
        try:
            await workflow.wait_condition(
                lambda: not self._decided.isdisjoint(progress.gates), timeout=timedelta(seconds=progress.wait_s or 0)
            )
        except TimeoutError:
            return
        finally:
            # Each has the ledger read once, also one that says what is not so.
            self._gates = None
            self._decided.clear()


async def _first_life(order: RunOrder, drive: Drive) -> Progress | None:
    """Watches the server that created the run; None when that is gone or stops, and another one is to go on."""
    try:
        return await _activity(DRIVE, drive, order.heartbeat_s, order.creator)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return None


async def _activity(name: str, drive: Drive, heartbeat_s: float, creator: str = "") -> Progress:
    heartbeat = timedelta(seconds=heartbeat_s)
    progress: Progress = await workflow.execute_activity(
        name,
        drive,
        result_type=Progress,
        task_queue=creator or None,
        schedule_to_start_timeout=heartbeat if creator else None,
        start_to_close_timeout=_LONGEST,
        heartbeat_timeout=heartbeat,
        retry_policy=_ONCE if creator else _AGAIN,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )
    return progress
