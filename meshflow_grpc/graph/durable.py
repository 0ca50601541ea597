"""DurableWorkflowExecutor: one run under an id of one's own, that goes on where it stopped, in whatever process."""

from __future__ import annotations

import copy
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc.config import Settings
from meshflow_grpc.domain.approval import ApprovalStatus, Decision
from meshflow_grpc.domain.errors import FieldViolation, InvalidRequestError, RunConflictError, RunNotFoundError
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.run import Principal, RunOutcome, RunStatus
from meshflow_grpc.engine.approvals import approvals_of
from meshflow_grpc.engine.fork import ForkPoint, NewFork, fork_of
from meshflow_grpc.engine.gates import Review
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.engine.run_record import finished_draft
from meshflow_grpc.graph.checkpoints import keeper_of
from meshflow_grpc.graph.durable_run import DurableRun, Runnable
from meshflow_grpc.graph.local import LOCAL, runtime_on
from meshflow_grpc.graph.program_request import program_request
from meshflow_grpc.graph.result import WorkflowResult
from meshflow_grpc.ledger.erasure import new_erasure
from meshflow_grpc.ledger.run_diff import STEP_ENDS
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.system import SystemClock, Uuid7Ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from meshflow_grpc.domain.approval import Approval
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import Run
    from meshflow_grpc.governance.policy_document import AnyPolicy
    from meshflow_grpc.graph.checkpoints import RunKeeper
    from meshflow_grpc.ports.storage import Storage
    from meshflow_grpc.tools.registry import Registry

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_BASIS = "cleared by its owner"


@dataclass(frozen=True, slots=True)
class DurableStatus:
    """A durable run as it stands. ``status`` is "absent" when nothing is recorded; ``nodes`` holds how each node's last step ended."""

    run_id: str
    status: str
    nodes: Mapping[str, str] = field(default_factory=dict)
    output: str = ""
    pending_approval: Approval | None = None


class DurableWorkflowExecutor:
    """Executes one run, governed and recorded like every other, and takes it up again after a crash or a gate.

    ``backend`` is where the run is kept: ``sqlite`` and ``postgres`` are ledgers that servers use too; ``redis``, ``s3`` and
    ``memory`` keep this run alone. Nothing is opened before a method is awaited.
    """

    def __init__(
        self,
        run_id: str | None = None,
        backend: str = "sqlite",
        *,
        db_path: str | None = None,
        redis_url: str | None = None,
        postgres_url: str | None = None,
        s3_bucket: str | None = None,
        s3_prefix: str = "",
        registry: Registry | None = None,
    ) -> None:
        """``registry`` holds the tools and functions of the workflow. Raises ValueError naming a wrong argument."""
        self._keeper: RunKeeper = keeper_of(
            backend,
            db_path=db_path,
            redis_url=redis_url,
            postgres_url=postgres_url,
            s3_bucket=s3_bucket,
            s3_prefix=s3_prefix,
        )
        self._run_id = _checked(Uuid7Ids().run_id() if run_id is None else run_id)
        self._registry = registry
        self._forked_from: tuple[str, str] | None = None

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._run_id

    async def run(
        self,
        workflow: Runnable,
        input: str | Mapping[str, JsonValue],  # noqa: A002 - the name callers use
        *,
        policy: AnyPolicy | None = None,
    ) -> WorkflowResult:
        """Runs a workflow or a graph until it ends or waits for a human. A run that was begun with the same goes on instead.

        Raises RunConflictError when the id is that of another run, or of one under another policy, or another process continues it.
        """
        if self._forked_from is not None:
            raise ValueError("a fork has its workflow and input from its parent; call resume()")
        request = program_request(input, policy)
        async with self._opened(workflow) as run:
            return await run.start_or_go_on(request, same_policy=policy is not None)

    async def resume(self, workflow: Runnable | None = None) -> WorkflowResult:
        """Goes on where the run stopped; a run that ended, or still waits for a human, is returned as it is.

        ``workflow`` is needed for a graph, whose functions are not recorded. Raises RunNotFoundError before the first ``run``.
        """
        async with self._opened(workflow) as run:
            if self._forked_from is not None and await run.held() is None:
                return await self._start_fork(run)
            return await run.go_on()

    async def decide(
        self,
        decision: str,
        *,
        reviewer: str,
        comment: str = "",
        approval_id: str | None = None,
        workflow: Runnable | None = None,
    ) -> WorkflowResult:
        """Records a human's ``approve`` or ``reject`` and goes on. Without ``approval_id`` it is the first one that waits.

        Raises RunConflictError when nothing waits, and what deciding raises (docs/human-gates.md).
        """
        if not reviewer.strip():
            raise InvalidRequestError.of(FieldViolation("reviewer", "must name who decides"))
        review = Review(Decision(decision), Principal(reviewer, LOCAL.tenant_id, method="process"), comment)
        async with self._opened(workflow) as run:
            return await run.decide(review, approval_id)

    async def status(self) -> DurableStatus:
        """Returns the run as it is recorded; nothing is executed and nothing made."""
        async with self._keeper.opened(self._run_id, read_only=True) as storage:
            try:
                run = await storage.get_run(LOCAL.tenant_id, self._run_id)
            except RunNotFoundError:
                return DurableStatus(self._run_id, "absent")
            entries = await run_entries(storage, run.tenant_id, run.run_id)
        ends = (entry for entry in entries if entry.kind in STEP_ENDS and "parent" not in entry.facts)
        nodes = {entry.node_id: str(entry.facts["verdict"]) for entry in ends}
        asked = [each for each in approvals_of(run, entries) if each.status is ApprovalStatus.PENDING]
        return DurableStatus(self._run_id, run.status.value, nodes, run.output, asked[0] if asked else None)

    def fork(
        self, parent_run_id: str, before_node_id: str, *, new_run_id: str | None = None
    ) -> DurableWorkflowExecutor:
        """An executor, on the same backend, of a new run that keeps what the parent committed before a node first began.

        It is begun by ``resume()``, which raises RunNotFoundError for an unknown parent and InvalidRequestError for an unknown node.
        """
        forked = copy.copy(self)
        forked._run_id = _checked(Uuid7Ids().run_id() if new_run_id is None else new_run_id)
        forked._forked_from = (_checked(parent_run_id), before_node_id)
        return forked

    async def clear(self) -> bool:
        """Ends the run if it has not, and removes its inputs and outputs; returns whether there was one.

        A ledger keeps the chain of the run, without payloads, and its id stays taken; the other backends forget the run.
        Raises RunConflictError for a run under ``immutable_audit`` in a backend that would forget it.
        """
        async with self._keeper.opened(self._run_id) as storage:
            try:
                run = await storage.get_run(LOCAL.tenant_id, self._run_id)
            except RunNotFoundError:
                return False
            if run.policy.get("immutable_audit") and not self._keeper.keeps_chains:
                raise RunConflictError(
                    f"run {run.run_id!r} is under immutable_audit and is not removed", metadata={"run_id": run.run_id}
                )
            await _end(storage, run)
        await self._keeper.forget(self._run_id)
        return True

    async def _start_fork(self, run: DurableRun) -> WorkflowResult:
        parent_id, node = self._forked_from or ("", "")
        async with self._keeper.opened(parent_id, read_only=True) as storage:
            parent = await storage.get_run(LOCAL.tenant_id, parent_id)
            entries = await run_entries(storage, LOCAL.tenant_id, parent_id)
        point = ForkPoint(before_node=node)
        new = NewFork(self._run_id, SystemClock().now())
        return await run.start_fork(fork_of(parent, entries, point, new, LOCAL))

    @asynccontextmanager
    async def _opened(self, workflow: Runnable | None) -> AsyncIterator[DurableRun]:
        async with self._keeper.opened(self._run_id) as storage:
            run = DurableRun(self._run_id, storage, workflow)
            async with runtime_on(storage, run.registry(self._registry), Settings.load()) as runtime:
                run.attach(runtime)
                try:
                    yield run
                finally:
                    await runtime.engine.drain(0.0)


async def _end(storage: Storage, run: Run) -> None:
    now = SystemClock().now()
    if not run.status.ended:
        outcome = RunOutcome(RunStatus.CANCELLED, run.output, None, "cancelled by request: cleared")
        change = RunChange(None, outcome.status, outcome.output, None, outcome.reason)
        await storage.append(run.run_id, (finished_draft(run, outcome, run.usage, now, LOCAL),), change)
    entries = await run_entries(storage, run.tenant_id, run.run_id)
    if not any(entry.kind is EntryKind.ERASURE for entry in entries):
        await storage.erase_payloads(new_erasure(run.run_id, run.tenant_id, now, LOCAL.id, _BASIS))


def _checked(run_id: str) -> str:
    if not _RUN_ID.fullmatch(run_id):
        raise ValueError(f"run id {run_id!r} must be 1 to 128 of A-Z a-z 0-9 _ . -, first a letter or digit")
    return run_id
