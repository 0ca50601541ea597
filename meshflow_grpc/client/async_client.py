"""The asynchronous client."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Self

import grpc

from meshflow_grpc._gen.meshflow.v1 import (
    approval_service_pb2,
    approval_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    mesh_service_pb2_grpc,
    run_service_pb2,
    run_service_pb2_grpc,
    system_service_pb2,
    system_service_pb2_grpc,
    workflow_service_pb2_grpc,
)
from meshflow_grpc.client.async_calls import CallOptions, messages, result
from meshflow_grpc.client.async_mesh import AsyncMeshCalls
from meshflow_grpc.client.async_workflows import AsyncWorkflowCalls
from meshflow_grpc.client.connection import DEFAULT_ADDRESS, Connection
from meshflow_grpc.client.errors import MeshflowCallError, call_error, is_break
from meshflow_grpc.client.event_stream import events_of_run, reconnect_delay_s
from meshflow_grpc.client.requests import RunOptions, run_request, with_request_id
from meshflow_grpc.domain.run import RunStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType
    from typing import Unpack

    from meshflow_grpc.client.event_stream import EventCall
    from meshflow_grpc.client.messages import (
        Approval,
        CheckRunResponse,
        ConsistencyProof,
        DiffRunsResponse,
        EraseRunResponse,
        GetHealthResponse,
        InclusionProof,
        ListApprovalsResponse,
        ListEntriesResponse,
        ListRunsResponse,
        RunEvent,
        RunResponse,
        TreeHead,
        VerifyRunResponse,
    )


class AsyncClient(AsyncMeshCalls, AsyncWorkflowCalls):
    """Calls a meshflow server from asyncio; use it as an async context manager.

    Every method raises MeshflowCallError when the call fails and InvalidRequestError, before anything is sent, for a
    request that cannot be built. Requests that start a run carry a fresh ``request_id`` unless the caller names one, so
    that a retry after a broken connection never runs a task twice. A ``timeout_s`` of None means no deadline.
    """

    def __init__(self, connection: Connection | str = DEFAULT_ADDRESS) -> None:
        self.connection = connection if isinstance(connection, Connection) else Connection(connection)
        self._channel = self.connection.channel()
        self._runs = run_service_pb2_grpc.RunServiceStub(self._channel)
        self._ledger = ledger_service_pb2_grpc.LedgerServiceStub(self._channel)
        self._workflows = workflow_service_pb2_grpc.WorkflowServiceStub(self._channel)
        self._approvals = approval_service_pb2_grpc.ApprovalServiceStub(self._channel)
        self._system = system_service_pb2_grpc.SystemServiceStub(self._channel)
        self._mesh = mesh_service_pb2_grpc.MeshServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; calls in flight end as cancelled."""
        await self._channel.close()

    async def run(
        self, task: str | None = None, *, timeout_s: float | None = None, **options: Unpack[RunOptions]
    ) -> RunResponse:
        """Executes a run and waits until it ends or pauses; the outcome is in ``status``."""
        request = run_request(task, with_request_id(options))
        return await result(self._runs.Run(request, timeout=timeout_s, metadata=self.connection.metadata))

    async def stream_run(
        self, task: str | None = None, *, timeout_s: float | None = None, **options: Unpack[RunOptions]
    ) -> AsyncGenerator[RunEvent, None]:
        """Executes a run and yields its events, none lost or twice over broken connections; leaving the loop is a disconnect."""
        request, metadata = run_request(task, with_request_id(options)), self.connection.metadata

        def start(left_s: float | None) -> EventCall:
            return self._runs.StreamRun(request, timeout=left_s, metadata=metadata)

        async with aclosing(events_of_run(start, self.connection, timeout_s)) as events:
            async for event in events:
                yield event

    async def create_run(self, task: str | None = None, **options: Unpack[RunOptions]) -> RunResponse:
        """Starts a run that goes on without the caller, and returns it as it stands."""
        request = run_request(task, with_request_id(options))
        return await result(self._runs.CreateRun(request, **self._call()))

    async def get_run(self, run_id: str) -> RunResponse:
        """Returns a run as it stands."""
        return await result(self._runs.GetRun(run_service_pb2.GetRunRequest(run_id=run_id), **self._call()))

    async def list_runs(
        self, *, page_size: int = 0, page_token: str = "", status: str = "", workflow: str = "", session_id: str = ""
    ) -> ListRunsResponse:
        """Returns a page of runs, newest first; 0 means the server's page size."""
        request = run_service_pb2.ListRunsRequest(
            page_size=page_size, page_token=page_token, status=status, workflow=workflow, session_id=session_id
        )
        return await result(self._runs.ListRuns(request, **self._call()))

    async def wait_run(self, run_id: str, *, timeout_s: float = 60.0) -> RunResponse:
        """Waits until a run ends, pauses or the time passes, and returns it as it stands then."""
        request = run_service_pb2.WaitRunRequest(run_id=run_id, timeout_s=timeout_s)
        return await result(self._runs.WaitRun(request, **self._call(extra_s=timeout_s)))

    async def watch_run(
        self, run_id: str, *, after_sequence: int = 0, event_view: str = ""
    ) -> AsyncGenerator[RunEvent, None]:
        """Yields a run's events after a sequence until it has ended, across broken connections: none lost or twice."""
        broken = 0
        while True:
            try:
                async with aclosing(self._watch_once(run_id, after_sequence, event_view)) as events:
                    async for event in events:
                        after_sequence = event.sequence if event.HasField("sequence") else after_sequence
                        broken = 0
                        yield event
                        if event.event_type == "run_completed":
                            return
                if await self._nothing_after(run_id, after_sequence):
                    return
            except MeshflowCallError as error:
                if not is_break(error) or broken >= self.connection.reconnects:
                    raise
            await asyncio.sleep(reconnect_delay_s(self.connection, broken))
            broken += 1

    async def cancel_run(self, run_id: str, *, reason: str = "") -> RunResponse:
        """Cancels a run and returns when it has ended; one that had ended before is returned unchanged."""
        request = run_service_pb2.CancelRunRequest(run_id=run_id, reason=reason)
        return await result(self._runs.CancelRun(request, **self._call()))

    async def check_run(self, task: str | None = None, **options: Unpack[RunOptions]) -> CheckRunResponse:
        """Says what a request would be held to and which rules it violates; nothing is executed."""
        return await result(self._runs.CheckRun(run_request(task, options), **self._call()))

    async def list_entries(self, run_id: str, *, page_size: int = 0, page_token: str = "") -> ListEntriesResponse:
        """Returns a page of a run's ledger entries in the order of the chain; 0 means the server's page size."""
        request = ledger_service_pb2.ListEntriesRequest(run_id=run_id, page_size=page_size, page_token=page_token)
        return await result(self._ledger.ListEntries(request, **self._call()))

    async def verify_run(self, run_id: str) -> VerifyRunResponse:
        """Has the server verify a run's chain; ``valid`` and ``faults`` tell."""
        request = ledger_service_pb2.VerifyRunRequest(run_id=run_id)
        return await result(self._ledger.VerifyRun(request, **self._call()))

    async def diff_runs(self, run_a: str, run_b: str) -> DiffRunsResponse:
        """Compares two runs node by node; deltas are B minus A."""
        request = run_service_pb2.DiffRunsRequest(run_a=run_a, run_b=run_b)
        return await result(self._runs.DiffRuns(request, **self._call()))

    async def fork_run(
        self, run_id: str, *, before_sequence: int = 0, before_node: str = "", request_id: str = ""
    ) -> RunResponse:
        """Starts a run that goes on from before a place or a node of an earlier one; a ``request_id`` makes it once.

        Never retried: without a ``request_id`` a second try could start a second run.
        """
        request = run_service_pb2.ForkRunRequest(
            run_id=run_id, before_sequence=before_sequence, before_node=before_node, request_id=request_id
        )
        return await result(self._runs.ForkRun(request, **self._call()))

    async def export_run(self, run_id: str, *, export_format: str = "json") -> bytes:
        """Returns a run as a file: ``json``, ``csv`` or ``evidence``, the bundle that `meshflow audit verify` checks offline."""
        request = ledger_service_pb2.ExportRunRequest(run_id=run_id, format=export_format)
        call = self._ledger.ExportRun(request, **self._call())
        try:
            return b"".join([piece.data async for piece in call])
        except grpc.aio.AioRpcError as error:
            raise call_error(error) from error

    async def erase_run(
        self, run_id: str, *, basis: str, mode: str = "anonymize", include_forks: bool = False
    ) -> EraseRunResponse:
        """Removes what people wrote from a run that has ended, or with ``mode="delete"`` the run; ``basis`` is the legal ground."""
        request = ledger_service_pb2.EraseRunRequest(run_id=run_id, basis=basis, mode=mode, include_forks=include_forks)
        return await result(self._ledger.EraseRun(request, **self._call()))

    async def list_approvals(
        self, *, page_size: int = 0, page_token: str = "", run_id: str = ""
    ) -> ListApprovalsResponse:
        """Returns a page of pending approvals; with a run id all approvals of that run."""
        request = approval_service_pb2.ListApprovalsRequest(page_size=page_size, page_token=page_token, run_id=run_id)
        return await result(self._approvals.ListApprovals(request, **self._call()))

    async def get_approval(self, approval_id: str) -> Approval:
        """Returns an approval as it stands."""
        request = approval_service_pb2.GetApprovalRequest(approval_id=approval_id)
        return await result(self._approvals.GetApproval(request, **self._call()))

    async def decide_approval(
        self,
        approval_id: str,
        decision: str,
        *,
        comment: str = "",
        expected_action_digest: str | None = None,
        break_glass: bool = False,
    ) -> Approval:
        """Decides ``approve`` or ``reject``; returns when the decision is durable. The same decision again changes nothing.

        ``break_glass`` approves in an emergency; a second person says ``confirm`` or ``dispute`` of it afterwards.
        """
        request = approval_service_pb2.DecideApprovalRequest(
            approval_id=approval_id,
            decision=decision,
            comment=comment,
            expected_action_digest=expected_action_digest,
            break_glass=break_glass,
        )
        return await result(self._approvals.DecideApproval(request, **self._call()))

    async def tree_head(self) -> TreeHead:
        """Returns the newest signed head of the log over all entries."""
        request = ledger_service_pb2.GetTreeHeadRequest()
        return (await result(self._ledger.GetTreeHead(request, **self._call()))).head

    async def inclusion_proof(self, run_id: str, sequence: int) -> InclusionProof:
        """Returns the proof that an entry of a run, counted from 1, is in the log."""
        request = ledger_service_pb2.GetInclusionProofRequest(run_id=run_id, sequence=sequence)
        return (await result(self._ledger.GetInclusionProof(request, **self._call()))).proof

    async def consistency_proof(self, first: int, second: int = 0) -> ConsistencyProof:
        """Returns the proof that the log only grew from the first size to the second, by default that of the newest head."""
        request = ledger_service_pb2.GetConsistencyProofRequest(first=first, second=second)
        return (await result(self._ledger.GetConsistencyProof(request, **self._call()))).proof

    async def health(self) -> GetHealthResponse:
        """Returns the server's health, version and uptime."""
        return await result(self._system.GetHealth(system_service_pb2.GetHealthRequest(), **self._call()))

    def _call(self, extra_s: float = 0.0) -> CallOptions:
        return {"timeout": self.connection.timeout_s + extra_s, "metadata": self.connection.metadata}

    async def _watch_once(self, run_id: str, after: int, view: str) -> AsyncGenerator[RunEvent, None]:
        request = run_service_pb2.WatchRunRequest(run_id=run_id, after_sequence=after, event_view=view)
        async with aclosing(messages(self._runs.WatchRun(request, metadata=self.connection.metadata))) as events:
            async for event in events:
                if not event.HasField("sequence") or event.sequence > after:
                    yield event

    async def _nothing_after(self, run_id: str, sequence: int) -> bool:
        """Whether a stream that ended without run_completed had nothing more to say."""
        run = await self.get_run(run_id)
        return RunStatus(run.status).ended and run.ledger_head.sequence <= sequence
