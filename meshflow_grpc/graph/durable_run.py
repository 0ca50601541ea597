"""One durable run while it is open: started, taken up, decided about."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from meshflow_grpc.domain.approval import ApprovalStatus
from meshflow_grpc.domain.errors import RunConflictError, RunNotFoundError
from meshflow_grpc.domain.run import RunStatus
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.engine.run_record import definition_of, origin_of
from meshflow_grpc.graph.compiled_graph import CompiledStateGraph, GraphRunError
from meshflow_grpc.graph.definition import WorkflowDefinition
from meshflow_grpc.graph.graph_run import GraphRun
from meshflow_grpc.graph.local import LOCAL
from meshflow_grpc.graph.result import WorkflowResult
from meshflow_grpc.workflow.digest import from_json, workflow_digest
from meshflow_grpc.workflow.expansion import as_written
from meshflow_grpc.workflow.yaml_codec import dump_workflow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.app import Runtime
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import Run, RunRequest
    from meshflow_grpc.domain.workflow import Workflow
    from meshflow_grpc.engine.fork import Fork
    from meshflow_grpc.engine.gates import Review
    from meshflow_grpc.engine.run_record import RunOrigin
    from meshflow_grpc.ports.storage import Storage
    from meshflow_grpc.tools.registry import Registry

Runnable: TypeAlias = WorkflowDefinition | CompiledStateGraph


class DurableRun:
    """A run on an open store. ``attach`` comes before everything but ``registry``."""

    def __init__(self, run_id: str, storage: Storage, workflow: Runnable | None) -> None:
        self._run_id = run_id
        self._storage = storage
        self._workflow: Workflow | None = None
        self._graph: GraphRun | None = None
        if isinstance(workflow, CompiledStateGraph):
            self._workflow = workflow.workflow
            self._graph = GraphRun.begin(workflow.plan, {})
        elif workflow is not None:
            self._workflow = workflow.build()

    def registry(self, own: Registry | None) -> Registry | None:
        """Where functions come from: a graph brings its own."""
        if self._graph is not None and own is not None:
            raise ValueError("a graph has its functions itself; leave registry out")
        return own if self._graph is None else self._graph.registry()

    def attach(self, runtime: Runtime) -> None:
        """Takes the runtime that executes the run."""
        self._runtime = runtime
        if self._graph is not None:
            runtime.hub.listen(self._graph.take)

    async def held(self) -> Run | None:
        """The run as it is recorded."""
        try:
            return await self._storage.get_run(LOCAL.tenant_id, self._run_id)
        except RunNotFoundError:
            return None

    async def start_or_go_on(self, request: RunRequest, *, same_policy: bool) -> WorkflowResult:
        """See DurableWorkflowExecutor.run; ``same_policy`` holds a run that is there to the request's."""
        if self._workflow is None:
            raise TypeError("run() needs a workflow")
        request = replace(request, workflow_yaml=dump_workflow(self._workflow))
        admitted = await self._runtime.engine.admit(LOCAL, request)
        held = await self.held()
        if held is not None:
            entries = await run_entries(self._storage, held.tenant_id, held.run_id)
            if self._origin(entries).task != admitted.task:
                raise self._conflict("was begun with another input; take another id, or clear() it")
            if same_policy and held.policy_digest != admitted.policy.digest:
                raise self._conflict("was begun under another policy, under which resume() goes on; or take another id")
            return await self.go_on()
        if self._graph is not None:
            self._graph.start(request.input)
        active = self._runtime.engine.start(admitted, self._run_id)
        return await self._result(await asyncio.shield(active.done))

    async def start_fork(self, fork: Fork) -> WorkflowResult:
        """Begins a fork of another run."""
        self._check_workflow(definition_of(fork.draft))
        if self._graph is not None:
            self._graph.start(json.loads(json.loads(fork.draft.input or "{}")["task"]))
        run = await self._runtime.engine.start_fork(fork)
        return await self._until_still(run)

    async def go_on(self) -> WorkflowResult:
        """See DurableWorkflowExecutor.resume."""
        run = await self._restored()
        if run.status is RunStatus.PAUSED:
            await self._runtime.expiry.expire_run(run)
        elif run.status is RunStatus.RUNNING:
            active = self._runtime.engine.claim(run.run_id, run.tenant_id)
            if active is not None:
                self._runtime.engine.go_on(active)
        return await self._until_still(run)

    async def decide(self, review: Review, approval_id: str | None) -> WorkflowResult:
        """See DurableWorkflowExecutor.decide."""
        run = await self._restored()
        asked = await self._runtime.gates.of_run(run)
        waiting = [a.approval_id for a in asked if a.status is ApprovalStatus.PENDING]
        chosen = approval_id or next(iter(waiting), None)
        if chosen is None:
            raise RunConflictError(
                f"run {run.run_id!r} waits for no decision; it is {run.status.value}", metadata={"run_id": run.run_id}
            )
        await self._runtime.gates.decide(run.tenant_id, chosen, review)
        return await self._until_still(run)

    async def _restored(self) -> Run:
        """The run, with the graph's state as its entries left it."""
        run = await self._storage.get_run(LOCAL.tenant_id, self._run_id)
        entries = await run_entries(self._storage, run.tenant_id, run.run_id)
        origin = self._origin(entries)
        self._check_workflow(origin.definition)
        if not run.status.ended:
            self._runtime.engine.check_executable(origin.definition)
        if self._graph is not None:
            self._graph.start(json.loads(origin.task))
            for entry in entries:
                self._graph.take(entry)
        return run

    def _check_workflow(self, recorded: Mapping[str, JsonValue]) -> None:
        given = self._workflow
        if given is not None and workflow_digest(given) != workflow_digest(as_written(from_json(recorded))):
            raise self._conflict("was begun with another workflow; it goes on with that one only")

    def _origin(self, entries: Sequence[LedgerEntry]) -> RunOrigin:
        if entries[0].input is None:
            raise self._conflict("was cleared or erased; take another id")
        return origin_of(entries[0])

    def _conflict(self, what: str) -> RunConflictError:
        return RunConflictError(f"run {self._run_id!r} {what}", metadata={"run_id": self._run_id})

    async def _until_still(self, run: Run) -> WorkflowResult:
        """Waits until the run has ended or waits for a human."""
        active = self._runtime.engine.active(run.run_id)
        if active is not None:
            await asyncio.shield(active.done)
        return await self._result(await self._storage.get_run(run.tenant_id, run.run_id))

    async def _result(self, run: Run) -> WorkflowResult:
        graph = self._graph
        if graph is not None and graph.error is not None and run.status is RunStatus.COMPLETED:
            raise GraphRunError(run.run_id, run.status.value, None, str(graph.error)) from graph.error
        state = None if graph is None else graph.state.copy()
        return WorkflowResult.of(await self._runtime.gates.with_pending(run), state)
