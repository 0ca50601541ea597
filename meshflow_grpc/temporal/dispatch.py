"""Tells Temporal of runs: a workflow ``run/RUN_ID`` each."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError, WorkflowUpdateStage
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from meshflow_grpc.ports.dispatch import DispatchUnavailableError
from meshflow_grpc.temporal.run_workflow import RunOrder, RunWorkflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from temporalio.client import Client, WorkflowHandle

_ANSWER: Final = timedelta(seconds=10)


class TemporalDispatch:
    """See ``ports.dispatch.RunDispatch``. ``creator`` is the queue that this server alone works on."""

    def __init__(self, client: Client, task_queue: str, creator: str, heartbeat_s: float) -> None:
        self._client = client
        self._task_queue = task_queue
        self._creator = creator
        self._heartbeat_s = heartbeat_s

    async def begin(self, tenant_id: str, run_id: str, *, here: bool) -> bool:
        """See RunDispatch. A workflow that ended before its run, by an operator's hand, is begun again."""
        order = RunOrder(tenant_id, run_id, self._heartbeat_s, self._creator if here else "")
        try:
            with _answered():
                await self._client.start_workflow(
                    RunWorkflow.run,
                    order,
                    id=f"run/{run_id}",
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    # A server that dies with a task of the workflow is noticed as soon as one that dies with the run.
                    task_timeout=timedelta(seconds=self._heartbeat_s),
                    rpc_timeout=_ANSWER,
                )
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def decided(self, run_id: str, approval_id: str, action_digest: str) -> None:
        """See RunDispatch. Refused where the run waits for something else: then it went on already."""
        try:
            with _answered():
                await self._of(run_id).start_update(
                    RunWorkflow.decided,
                    args=[approval_id, action_digest],
                    id=approval_id,
                    wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                    rpc_timeout=_ANSWER,
                )
        except WorkflowUpdateFailedError:
            return

    async def ended(self, run_id: str) -> None:
        """See RunDispatch."""
        with _answered():
            await self._of(run_id).cancel(rpc_timeout=_ANSWER)

    def _of(self, run_id: str) -> WorkflowHandle[RunWorkflow, str]:
        return self._client.get_workflow_handle_for(RunWorkflow.run, f"run/{run_id}")


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise DispatchUnavailableError("no server took the decision in") from error
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise DispatchUnavailableError(f"Temporal: {error.message}") from error
