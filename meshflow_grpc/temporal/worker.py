"""This server's work for Temporal: drives runs of its shared queue, and is watched over those it created itself."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from meshflow_grpc.domain.errors import MeshflowError, RunNotFoundError
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.engine.driving import NotDrivenHereError
from meshflow_grpc.temporal.run_workflow import CANCEL, DRIVE, Drive, Progress, RunWorkflow

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from temporalio.client import Client

    from meshflow_grpc.commands.cancel_run import CancelRunCommand
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.engine.driving import RunDriver

_log = structlog.get_logger(__name__)

BEATS_PER_TIMEOUT: Final = 4
WORK_AGAIN_S: Final = 5.0
CANCELLED: Final = "its Temporal workflow was cancelled"
GONE: Final = Progress("absent")


class RunActivities:
    """What a server does for workflows. Nothing of a run's texts is in what these answer or raise."""

    def __init__(self, driver: RunDriver, cancel: CancelRunCommand) -> None:
        self._driver = driver
        self._cancel = cancel

    @activity.defn(name=DRIVE)
    async def drive(self, order: Drive) -> Progress:
        """Follows or takes up the run until it has ended or waits; a cancellation ends it."""
        driving = asyncio.ensure_future(self._progress(order))
        try:
            return await _beating(asyncio.shield(driving))
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if details is None or not details.cancel_requested:
                driving.cancel()
                raise
            await _beating(self._cancelled(order))
            return await driving

    @activity.defn(name=CANCEL)
    async def cancel(self, order: Drive) -> Progress:
        """Ends the run as cancelled, if it has not ended."""
        return await _beating(self._cancelled(order))

    async def _progress(self, order: Drive) -> Progress:
        try:
            driven = await self._driver.drive(order.tenant_id, order.run_id)
        except RunNotFoundError:
            return GONE
        except (MeshflowError, NotDrivenHereError) as error:
            raise _failure(error) from None
        return Progress(driven.status, driven.gates, driven.wait_s)

    async def _cancelled(self, order: Drive) -> Progress:
        server = Principal("meshflow", order.tenant_id, method="server")
        try:
            run: Run = await self._cancel.execute(server, order.run_id, reason=CANCELLED)
        except RunNotFoundError:
            return GONE
        except MeshflowError as error:
            raise _failure(error) from None
        return Progress(run.status.value)


def _failure(error: Exception) -> ApplicationError:
    """Of an error only its kind: what it says may be about the run's texts, and Temporal keeps it."""
    return ApplicationError("try again", type=type(error).__name__, category=ApplicationErrorCategory.BENIGN)


async def _beating(work: Awaitable[Progress]) -> Progress:
    timeout = activity.info().heartbeat_timeout
    every_s = timeout.total_seconds() / BEATS_PER_TIMEOUT if timeout else WORK_AGAIN_S
    beat = asyncio.create_task(_beat(every_s))
    try:
        return await work
    finally:
        beat.cancel()


async def _beat(every_s: float) -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(every_s)


class RunWorker:
    """Works until ``stop``. ``most`` bounds the runs driven at once."""

    def __init__(self, client: Client, task_queue: str, creator: str, activities: RunActivities, most: int) -> None:
        self._client = client
        self._queues = (task_queue, creator)
        self._activities = activities
        self._most = most
        self._stopping = asyncio.Event()

    async def work(self, grace_s: float) -> None:
        """Works until told to stop; then what is under way has so many seconds. A worker that failed is made anew."""
        while not self._stopping.is_set():
            workers = [self._worker(queue, grace_s) for queue in self._queues]
            tasks = [asyncio.create_task(worker.run()) for worker in workers]
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait((*tasks, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            running = [worker for task, worker in zip(tasks, workers, strict=True) if not task.done()]
            await asyncio.gather(*(worker.shutdown() for worker in running))
            for error in await asyncio.gather(*tasks, return_exceptions=True):
                if error is not None:
                    _log.warning("temporal_worker_failed", error=str(error), again_in_s=WORK_AGAIN_S)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), WORK_AGAIN_S)

    def stop(self) -> None:
        """Takes on nothing more."""
        self._stopping.set()

    def _worker(self, queue: str, grace_s: float) -> Worker:
        return Worker(
            self._client,
            task_queue=queue,
            workflows=[RunWorkflow] if queue == self._queues[0] else [],
            activities=[self._activities.drive, self._activities.cancel],
            workflow_runner=UnsandboxedWorkflowRunner(),
            # Histories are short; so a run that waits for a human holds nothing here, and another server is as good.
            max_cached_workflows=0,
            max_concurrent_activities=self._most,
            graceful_shutdown_timeout=timedelta(seconds=grace_s),
        )
