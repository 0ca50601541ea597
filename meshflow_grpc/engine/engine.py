"""All runs of this process: starting, resuming, draining."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import structlog

from meshflow_grpc.domain.errors import (
    LedgerUnavailableError,
    MeshflowError,
    RunFencedError,
    RunNotFoundError,
    StoppedError,
)
from meshflow_grpc.engine.executor import RunExecutor
from meshflow_grpc.engine.interruption import may_have_arrived, stopped
from meshflow_grpc.engine.run_progress import RunProgress
from meshflow_grpc.engine.run_record import definition_of, new_run, started_draft
from meshflow_grpc.kernel.uninterrupted import uninterrupted
from meshflow_grpc.workflow import frontier
from meshflow_grpc.workflow.digest import from_json

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.run import Principal, Run, RunRequest
    from meshflow_grpc.engine.active_run import ActiveRun
    from meshflow_grpc.engine.active_runs import ActiveRuns
    from meshflow_grpc.engine.admission import AdmittedRun
    from meshflow_grpc.engine.fork import Fork
    from meshflow_grpc.engine.parts import EngineParts

_log = structlog.get_logger(__name__)

RESUME_RETRY_S = 1.0
RESUME_RETRY_MAX_S = 30.0


class Engine:
    """Owns one task per run, so that no caller's going away stops a run by accident."""

    def __init__(self, parts: EngineParts, active: ActiveRuns) -> None:
        self._parts = parts
        self.elsewhere = parts.elsewhere
        self._active = active
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """Runs this process executes now."""
        return len(self._active)

    def active(self, run_id: str) -> ActiveRun | None:
        """The run if this process executes it."""
        return self._active.get(run_id)

    def new_run_id(self) -> str:
        """An id for a run about to start."""
        return self._parts.ids.run_id()

    async def admit(self, principal: Principal, request: RunRequest) -> AdmittedRun:
        """Resolves a request; see Intake.admit."""
        return await self._parts.intake.admit(principal, request)

    async def resolve(self, principal: Principal, request: RunRequest) -> AdmittedRun:
        """Resolves a request for a pre-flight; see Intake.resolve."""
        return await self._parts.intake.resolve(principal, request)

    def check_executable(self, definition: Mapping[str, JsonValue]) -> None:
        """Raises InvalidWorkflowError when this process cannot execute a recorded definition: going on would fail the run."""
        self._parts.admission.runnable(from_json(definition))

    def start(self, admitted: AdmittedRun, run_id: str) -> ActiveRun:
        """Starts a run; raises as ActiveRuns.check_room does. Await ``created``, then ``done``."""
        self._active.check_room(admitted.principal.tenant_id)
        active = self._active.add(run_id, admitted.principal.tenant_id)
        self._spawn(self._run_new(active, admitted))
        return active

    async def start_fork(self, fork: Fork) -> Run:
        """Starts a fork and returns when its start is durable; when its request id named an earlier run, that is returned.

        Raises as ActiveRuns.check_room does, and, when this server cannot execute its workflow or its floors are above its policy,
        InvalidWorkflowError or PolicyFloorViolatedError.
        """
        self._active.check_room(fork.run.tenant_id)
        self._parts.admission.check_recorded(definition_of(fork.draft), fork.run.policy)
        active = self._active.add(fork.run.run_id, fork.run.tenant_id)
        try:
            created = await uninterrupted(self._parts.tools.recorder.create_run(fork.run, fork.draft, fork.fingerprint))
        except MeshflowError as error:
            if may_have_arrived(error):
                self.go_on(active)
            else:
                self.release(active)
            raise
        except asyncio.CancelledError:
            self.go_on(active)
            raise
        if created.entry is None:
            self.release(active)
            return created.run
        self.started(created.run)
        self.go_on(active)
        return created.run

    def claim(self, run_id: str, tenant_id: str) -> ActiveRun | None:
        """Takes a run that nothing here executes, so that nobody here decides about it; None when it is taken. Release it or go on."""
        return None if run_id in self._active else self._active.add(run_id, tenant_id)

    def go_on(self, claimed: ActiveRun) -> None:
        """Resumes a claimed run from its ledger."""
        self._spawn(self._resume(claimed, wait_s=0.0))

    def pass_on(self, claimed: ActiveRun) -> None:
        """Has a claimed run go on whose gate was decided; nobody waits for it here."""
        self.go_on(claimed)

    def release(self, claimed: ActiveRun) -> None:
        """Gives a claimed run back."""
        self._active.remove(claimed)

    def started(self, run: Run) -> None:
        """Tells the observer of a run whose start is durable, and which is executed here."""
        self._parts.observer.run_started(run)

    async def cancel_elsewhere(self, run: Run, reason: str) -> Run | None:
        """Cancels a running run that is not executed here; None when nobody executes it."""
        return await self.elsewhere.cancelled(run, reason)

    def ended(self, run: Run) -> None:
        """Tells the observer of a run that ended without being executed further."""
        self._parts.observer.run_ended(run)

    @property
    def active_runs(self) -> tuple[str, ...]:
        """The runs this process executes now."""
        return self._active.ids

    async def recover(self) -> int:
        """Resumes running runs that no server executes, as far as there is room; returns how many."""
        room = self._active.room
        if not room:
            return 0
        orphans = await self.elsewhere.leases.claim_orphans(room, self.active_runs)
        for run in orphans:
            self._spawn(self._resume(self._active.add(run.run_id, run.tenant_id), wait_s=0.0))
        return len(orphans)

    async def drain(self, grace_s: float, hurry: asyncio.Event | None = None, *, hand_over: bool = False) -> int:
        """Waits for the runs in flight, at most the grace or until told to hurry; stops the rest, which stay resumable.

        With ``hand_over`` a run only finishes the steps under way, and goes on on another server at once, if there is one.
        Returns how many were stopped.
        """
        if hand_over and self.elsewhere.leases.accompanied():
            self._active.leave_off()
        if self._tasks:
            hurried = asyncio.ensure_future((hurry or asyncio.Event()).wait())
            finished = asyncio.ensure_future(asyncio.wait(self._tasks))
            await asyncio.wait((finished, hurried), timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
            hurried.cancel()
            finished.cancel()
        stopped = list(self._tasks)
        for task in stopped:
            task.cancel()
        if stopped:
            await asyncio.gather(*stopped, return_exceptions=True)
        return len(stopped)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_new(self, active: ActiveRun, admitted: AdmittedRun) -> None:
        interrupted = False
        try:
            executor = await self._create(active, admitted)
            if executor is None:
                return
            await self._settle(active, executor)
        except RunFencedError:
            await self._follow(active, active.run_id)
        except MeshflowError as error:
            active.fail(error)
            interrupted = may_have_arrived(error) or (
                active.created.done() and isinstance(error, LedgerUnavailableError)
            )
        finally:
            self.release(active)
        if interrupted:
            await self._resume(self._active.add(active.run_id, active.tenant_id), wait_s=RESUME_RETRY_S)

    async def _create(self, active: ActiveRun, admitted: AdmittedRun) -> RunExecutor | None:
        """Records the run's start; None when the request id named an earlier run, which this call then stands for."""
        tools = self._parts.tools
        policy, workflow, hook = admitted.policy.policy, admitted.workflow, admitted.request.webhook
        run = new_run(admitted, active.run_id, tools.clock.now())
        # What may not be recorded of the request may not be of its session either.
        told = () if admitted.withheld else None
        make = partial(self._parts.contexts.make, reviewed=workflow.reviewed, approved=admitted.approved)
        context = await make(run, admitted.principal, policy, workflow.agents, left_s=policy.timeout_s, told=told)
        draft = started_draft(admitted, run, context.conversation)
        try:
            created = await uninterrupted(tools.recorder.create_run(run, draft, admitted.fingerprint, hook))
        except MeshflowError:
            self._parts.contexts.left(run)
            raise
        if created.entry is None:
            self._parts.contexts.left(run)
            active.created.set_result(created.run)
            await self._follow(active, created.run.run_id)
            return None
        run = run._replace(entries=1, head_hash=created.entry.hash)
        self.started(run)
        active.created.set_result(run)
        progress = RunProgress(frontier.start(workflow.compiled.graph))
        return RunExecutor(tools, run, workflow.compiled, context, admitted.task, progress)

    async def _follow(self, active: ActiveRun, run_id: str) -> None:
        """Answers whoever waits, from a run that is executed here by another call, or by another server."""
        self.release(active)
        try:
            other = self._active.get(run_id)
            done = self.elsewhere.settled(active.tenant_id, run_id) if other is None else other.done
            active.succeed(await asyncio.shield(done))
        except asyncio.CancelledError:
            active.fail(stopped())
            raise

    async def _settle(self, active: ActiveRun, executor: RunExecutor) -> None:
        active.attach(executor)
        try:
            run = await executor.drive()
        except asyncio.CancelledError:
            active.fail(stopped())
            raise
        except StoppedError:
            await self.elsewhere.hand_over(active.run_id)
            raise
        self._end(active, run)

    def _end(self, active: ActiveRun, run: Run) -> None:
        self.release(active)
        self._parts.contexts.left(run)
        if run.status.ended:
            self._parts.observer.run_ended(run)
        else:
            self._parts.notifier.run_paused(run)
        active.succeed(run)

    async def _resume(self, active: ActiveRun, *, wait_s: float) -> None:
        try:
            while True:
                await asyncio.sleep(wait_s)
                try:
                    run = await self._parts.resumption.resume(active)
                except RunFencedError:
                    await self._follow(active, active.run_id)
                    return
                except LedgerUnavailableError:
                    wait_s = min(max(wait_s * 2, RESUME_RETRY_S), RESUME_RETRY_MAX_S)
                    _log.warning("resume_postponed", run_id=active.run_id, retry_in_s=wait_s)
                else:
                    self._end(active, run)
                    return
        except RunNotFoundError as error:
            # Its start was refused after all: see may_have_arrived.
            active.fail(error)
        except StoppedError as error:
            active.fail(error)
            await self.elsewhere.hand_over(active.run_id)
        except MeshflowError as error:
            active.fail(error)
            _log.exception("resume_failed", run_id=active.run_id)
        finally:
            self.release(active)
