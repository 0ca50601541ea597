"""The blocking client: the asynchronous one on a loop of its own thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self, TypeVar

from meshflow_grpc.client.async_client import AsyncClient
from meshflow_grpc.client.connection import DEFAULT_ADDRESS, Connection
from meshflow_grpc.client.sync_mesh import MeshCalls

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterator
    from types import TracebackType
    from typing import Any, Unpack

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
        ListWorkflowsResponse,
        RunEvent,
        RunResponse,
        TreeHead,
        VerifyRunResponse,
        Workflow,
        WorkflowApproval,
        WorkflowValidation,
    )
    from meshflow_grpc.client.requests import RunOptions

T = TypeVar("T")


class Client(MeshCalls):
    """Calls a meshflow server from blocking code, any thread; a context manager. Promises what AsyncClient does."""

    _client: AsyncClient

    def __init__(self, connection: Connection | str = DEFAULT_ADDRESS) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="meshflow-client", daemon=True)
        self._thread.start()
        try:
            self._client = self._wait(_open(connection))
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection and ends the thread. Idempotent."""
        if not self._loop.is_closed():
            self._wait(self._client.close())
            self._stop()

    def run(
        self, task: str | None = None, *, timeout_s: float | None = None, **options: Unpack[RunOptions]
    ) -> RunResponse:
        """Executes a run and waits until it ends or pauses; the outcome is in ``status``."""
        return self._wait(self._client.run(task, timeout_s=timeout_s, **options))

    def stream_run(
        self, task: str | None = None, *, timeout_s: float | None = None, **options: Unpack[RunOptions]
    ) -> Iterator[RunEvent]:
        """Executes a run and yields its events; closing the iterator is a disconnect."""
        return self._iterate(self._client.stream_run(task, timeout_s=timeout_s, **options))

    def create_run(self, task: str | None = None, **options: Unpack[RunOptions]) -> RunResponse:
        """Starts a run that goes on without the caller, and returns it as it stands."""
        return self._wait(self._client.create_run(task, **options))

    def get_run(self, run_id: str) -> RunResponse:
        """Returns a run as it stands."""
        return self._wait(self._client.get_run(run_id))

    def list_runs(
        self, *, page_size: int = 0, page_token: str = "", status: str = "", workflow: str = "", session_id: str = ""
    ) -> ListRunsResponse:
        """Returns a page of runs, newest first; 0 means the server's page size."""
        page = self._client.list_runs(
            page_size=page_size, page_token=page_token, status=status, workflow=workflow, session_id=session_id
        )
        return self._wait(page)

    def wait_run(self, run_id: str, *, timeout_s: float = 60.0) -> RunResponse:
        """Waits until a run ends, pauses or the time passes, and returns it as it stands then."""
        return self._wait(self._client.wait_run(run_id, timeout_s=timeout_s))

    def watch_run(self, run_id: str, *, after_sequence: int = 0, event_view: str = "") -> Iterator[RunEvent]:
        """Yields a run's events until it has ended, across broken connections, none lost or twice."""
        events = self._client.watch_run(run_id, after_sequence=after_sequence, event_view=event_view)
        return self._iterate(events)

    def cancel_run(self, run_id: str, *, reason: str = "") -> RunResponse:
        """Cancels a run and returns when it has ended; one that had ended before is returned unchanged."""
        return self._wait(self._client.cancel_run(run_id, reason=reason))

    def check_run(self, task: str | None = None, **options: Unpack[RunOptions]) -> CheckRunResponse:
        """Says what a request would be held to and which rules it violates; nothing is executed."""
        return self._wait(self._client.check_run(task, **options))

    def list_entries(self, run_id: str, *, page_size: int = 0, page_token: str = "") -> ListEntriesResponse:
        """Returns a page of a run's ledger entries in the order of the chain; 0 means the server's page size."""
        return self._wait(self._client.list_entries(run_id, page_size=page_size, page_token=page_token))

    def verify_run(self, run_id: str) -> VerifyRunResponse:
        """Has the server verify a run's chain; ``valid`` and ``faults`` tell."""
        return self._wait(self._client.verify_run(run_id))

    def diff_runs(self, run_a: str, run_b: str) -> DiffRunsResponse:
        """Compares two runs node by node; deltas are B minus A."""
        return self._wait(self._client.diff_runs(run_a, run_b))

    def fork_run(
        self, run_id: str, *, before_sequence: int = 0, before_node: str = "", request_id: str = ""
    ) -> RunResponse:
        """Starts a run that goes on from before a place or a node of an earlier one; a ``request_id`` makes it once."""
        return self._wait(
            self._client.fork_run(
                run_id, before_sequence=before_sequence, before_node=before_node, request_id=request_id
            )
        )

    def export_run(self, run_id: str, *, export_format: str = "json") -> bytes:
        """Returns a run as a file: ``json``, ``csv`` or ``evidence``."""
        return self._wait(self._client.export_run(run_id, export_format=export_format))

    def erase_run(
        self, run_id: str, *, basis: str, mode: str = "anonymize", include_forks: bool = False
    ) -> EraseRunResponse:
        """Removes what people wrote from a run that has ended, or with ``mode="delete"`` the run; ``basis`` is the legal ground."""
        return self._wait(self._client.erase_run(run_id, basis=basis, mode=mode, include_forks=include_forks))

    def tree_head(self) -> TreeHead:
        """Returns the newest signed head of the log over all entries."""
        return self._wait(self._client.tree_head())

    def inclusion_proof(self, run_id: str, sequence: int) -> InclusionProof:
        """Returns the proof that an entry of a run, counted from 1, is in the log."""
        return self._wait(self._client.inclusion_proof(run_id, sequence))

    def consistency_proof(self, first: int, second: int = 0) -> ConsistencyProof:
        """Returns the proof that the log only grew from the first size to the second, by default that of the newest head."""
        return self._wait(self._client.consistency_proof(first, second))

    def put_workflow(self, yaml: str) -> Workflow:
        """Registers a version of a workflow, once; the same again changes nothing."""
        return self._wait(self._client.put_workflow(yaml))

    def get_workflow(self, name: str) -> Workflow:
        """Returns the version registered last of NAME, or NAME@VERSION."""
        return self._wait(self._client.get_workflow(name))

    def approve_workflow(self, name: str, *, expected_digest: str | None = None, comment: str = "") -> WorkflowApproval:
        """Approves what NAME or NAME@VERSION is now, which another person registered; the same again changes nothing."""
        return self._wait(self._client.approve_workflow(name, expected_digest=expected_digest, comment=comment))

    def list_workflows(self, *, page_size: int = 0, page_token: str = "", name: str = "") -> ListWorkflowsResponse:
        """Returns a page of workflows, the newest version of each; with a name all versions of that one."""
        return self._wait(self._client.list_workflows(page_size=page_size, page_token=page_token, name=name))

    def validate_workflow(self, yaml: str) -> WorkflowValidation:
        """Returns what is wrong with a definition, if anything."""
        return self._wait(self._client.validate_workflow(yaml))

    def list_approvals(self, *, page_size: int = 0, page_token: str = "", run_id: str = "") -> ListApprovalsResponse:
        """Returns a page of pending approvals; with a run id all approvals of that run."""
        return self._wait(self._client.list_approvals(page_size=page_size, page_token=page_token, run_id=run_id))

    def get_approval(self, approval_id: str) -> Approval:
        """Returns an approval as it stands."""
        return self._wait(self._client.get_approval(approval_id))

    def decide_approval(
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
        call = self._client.decide_approval(
            approval_id,
            decision,
            comment=comment,
            expected_action_digest=expected_action_digest,
            break_glass=break_glass,
        )
        return self._wait(call)

    def health(self) -> GetHealthResponse:
        """Returns the server's health, version and uptime."""
        return self._wait(self._client.health())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("the client is closed; make another one")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # An interrupted caller (Ctrl-C) takes its call with it.
            future.cancel()
            raise

    def _iterate(self, events: AsyncGenerator[T, None]) -> Iterator[T]:
        try:
            while (event := self._wait(_next(events))) is not None:
                yield event
        finally:
            if not self._loop.is_closed():
                self._wait(events.aclose())

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _open(connection: Connection | str) -> AsyncClient:
    return AsyncClient(connection)


async def _next(events: AsyncGenerator[T, None]) -> T | None:
    return await anext(events, None)
