"""Drives one run through its graph, in a task of its own. Every transition is in the ledger before anyone sees it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import RunFencedError, StepNotRecordedError
from meshflow_grpc.domain.event import EventType, RunEvent
from meshflow_grpc.domain.run import RunOutcome, RunStatus
from meshflow_grpc.engine.approvals import paused_draft, pending_of
from meshflow_grpc.engine.branches import Branches
from meshflow_grpc.engine.closing import LastStep, RunClosing, completed, ending
from meshflow_grpc.engine.interruption import stopped
from meshflow_grpc.engine.run_progress import RunEnded, settle
from meshflow_grpc.engine.run_record import loop_draft
from meshflow_grpc.engine.step_making import StepMaker
from meshflow_grpc.kernel.decision import Verdict
from meshflow_grpc.kernel.uninterrupted import uninterrupted
from meshflow_grpc.ports.storage import RunChange
from meshflow_grpc.ports.tracer import NoTracer
from meshflow_grpc.workflow import frontier

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.run import CancelReason, Run
    from meshflow_grpc.domain.tool import Tool
    from meshflow_grpc.engine.event_hub import EventHub
    from meshflow_grpc.engine.recorder import PublishingRecorder
    from meshflow_grpc.engine.run_progress import RunProgress
    from meshflow_grpc.kernel.kernel import Kernel
    from meshflow_grpc.kernel.state import RunContext, StageDecision, Step, StepOutcome
    from meshflow_grpc.ports.clock import Clock
    from meshflow_grpc.ports.http import HttpCaller
    from meshflow_grpc.ports.leases import RunLeases
    from meshflow_grpc.ports.tools import ToolCatalog
    from meshflow_grpc.ports.tracer import Tracer
    from meshflow_grpc.workflow.compiled import CompiledWorkflow
    from meshflow_grpc.workflow.frontier import LoopIteration, NodeActivation

_COMMITTED = Verdict.COMMITTED
_ENDS = {
    Verdict.DENIED: RunStatus.BLOCKED,
    Verdict.FAILED: RunStatus.FAILED,
    Verdict.CANCELLED: RunStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class RunTools:
    """What every run of a process shares."""

    kernel: Kernel
    recorder: PublishingRecorder
    hub: EventHub
    clock: Clock
    catalog: ToolCatalog
    tracer: Tracer = field(default_factory=NoTracer)
    http: HttpCaller | None = None
    leases: RunLeases | None = None
    peer: Tool | None = None


class RunExecutor:
    """One run. ``drive`` returns it when it has ended or waits for a human."""

    def __init__(
        self,
        tools: RunTools,
        run: Run,
        workflow: CompiledWorkflow,
        context: RunContext,
        task: str,
        progress: RunProgress,
    ) -> None:
        self._tools = tools
        self._run = run
        self._workflow = workflow
        self._context = context
        self._progress = progress
        calls = (tools.catalog, workflow.output_checks, tools.http, tools.peer)
        self._steps = StepMaker(context, task, progress, *calls)
        self._closing = RunClosing(run, context.principal, progress, tools.clock)
        self._stop: RunOutcome | None = None
        self._driver: asyncio.Task[Run] | None = None
        self._finishing = self._fenced = self._leaving = False

    def cancel(self, reason: CancelReason, detail: str = "") -> None:
        """Asks the run to end as cancelled. Too late when it is already ending."""
        text = f": {detail}" if detail else ""
        self._interrupt(RunOutcome(RunStatus.CANCELLED, reason=f"cancelled by {reason.value}{text}"))

    def abandon(self) -> None:
        """Stops at once: another server executes the run."""
        self._fenced = True
        if self._driver is not None:
            self._driver.cancel()

    def leave_off(self) -> None:
        """Takes no more steps after those under way: ``drive`` then raises StoppedError, unless the run has ended with them."""
        self._leaving = True

    def _interrupt(self, outcome: RunOutcome) -> None:
        if self._finishing or self._stop is not None:
            return
        self._stop = outcome
        self._context.ending = True
        if self._driver is not None:
            self._driver.cancel()

    def _out_of_time(self) -> None:
        text = f"the run used its timeout_s={self._context.policy.timeout_s:g}; raise policy.timeout_s"
        self._interrupt(RunOutcome(RunStatus.BLOCKED, blocked_by="budget_check", reason=text))

    async def drive(self) -> Run:
        """Takes steps until the run ends or only humans can go on; records that; returns the run. Raises LedgerUnavailableError."""
        with self._tools.tracer.workflow(self._run) as span:
            try:
                run = await self._drive()
            finally:
                # Whoever still holds this must not stop what its task does next: resuming the run when the ledger is back.
                self._driver, self._finishing = None, True
            span.ended(run.status.value, run.usage, run.reason)
            return run

    async def _drive(self) -> Run:
        self._driver = cast("asyncio.Task[Run]", asyncio.current_task())
        loop = asyncio.get_running_loop()
        left = max(0.0, self._context.deadline - self._tools.clock.monotonic())
        timer = loop.call_later(left, self._out_of_time)
        try:
            if self._stop is None:
                await self._take_steps()
            outcome = self._stop or (None if self._progress.waiting else self._completed())
        except RunEnded as end:
            outcome = end.outcome
        except StepNotRecordedError as error:
            outcome = RunOutcome(RunStatus.FAILED, self._progress.last_output, None, error.message)
        except asyncio.CancelledError:
            if self._stop is None and not self._fenced:
                raise
            self._driver.uncancel()
            if self._fenced:
                raise RunFencedError(self._run.run_id) from None
            outcome = self._stop
        finally:
            timer.cancel()
        self._finishing = True
        if outcome is not None and self._closing.entry is not None:
            return self._ended(outcome, self._closing.entry)
        return await uninterrupted(self._pause() if outcome is None else self._finish(outcome))

    async def _take_steps(self) -> None:
        ready = [a for a in frontier.ready(self._progress.graph) if a.run not in self._progress.waiting]
        while ready:
            if self._leaving:
                raise stopped()
            if len(ready) == 1:
                activation = ready[0]
                ready = list(await self._advance(activation, await self._govern(activation)))
            else:
                ready = await self._take_parallel(ready)

    async def _take_parallel(self, ready: list[NodeActivation]) -> list[NodeActivation]:
        """Branches side by side: a slow one holds up no other. Returns what is ready once they have come together."""
        branches: Branches[NodeActivation] = Branches()
        try:
            while branches or len(ready) > 1:
                while ready and not self._leaving:
                    branches.begin(ready[0], self._govern(ready.pop(0)))
                if not branches:
                    raise stopped()
                for activation, task in await branches.ended():
                    ready.extend(await self._advance(activation, task.result()))
            return ready
        except RunEnded:
            self._context.ending = True
            raise
        finally:
            await branches.cancel()

    def _govern(self, activation: NodeActivation) -> Coroutine[object, object, StepOutcome]:
        graph = self._workflow.graph
        place = graph.index_of[activation.node_id]
        last = LastStep(self._closing, activation.run, self._may_end) if graph.may_end[place] else None
        return self._take_step(self._steps.make(graph.nodes[place], activation, self._take_step, last))

    def _may_end(self) -> bool:
        """From here on it is too late to cancel the run."""
        self._finishing = self._stop is None
        return self._finishing

    def _take_step(self, step: Step) -> Coroutine[object, object, StepOutcome]:
        tools = self._tools
        if (tools.leases is not None and not tools.leases.current()) or tools.hub.wants_live(self._run.run_id):
            return self._take_watched(step)
        return tools.kernel.run_step(step)

    async def _take_watched(self, step: Step) -> StepOutcome:
        """While somebody sees it taken, or the run might be another server's by now: it is asked for first."""
        tools = self._tools
        if (leases := tools.leases) is not None and not leases.current():
            await leases.confirm(self._run.run_id)
        if tools.hub.wants_live(self._run.run_id):
            tools.hub.publish_live(self._live(step, EventType.NODE_STARTED))
            step.live, step.deltas = partial(self._stage_decided, step), partial(self._delta, step)
        return await tools.kernel.run_step(step)

    def _live(self, step: Step, kind: EventType) -> RunEvent:
        return RunEvent(
            kind,
            self._run.run_id,
            time=self._tools.clock.now(),
            agent_id=step.node.id,
            node_id=step.node.id,
            role=step.node.role or None,
            step=step.number,
            tool=step.action.name if step.action is not None and step.action.is_tool else None,
        )

    def _stage_decided(self, step: Step, decided: StageDecision) -> None:
        event = self._live(step, EventType.STAGE_DECIDED)
        event = event._replace(stage=decided.stage, status=decided.decision, reason=decided.reason or None)
        self._tools.hub.publish_live(event)

    def _delta(self, step: Step, offset: int, piece: str) -> None:
        self._tools.hub.publish_live(self._live(step, EventType.TOKEN_DELTA)._replace(output=piece, offset=offset))

    async def _advance(self, activation: NodeActivation, outcome: StepOutcome) -> tuple[NodeActivation, ...]:
        """Takes in how a step ended; returns what is ready because of it."""
        progress = self._progress
        if outcome.verdict is not _COMMITTED:
            if outcome.verdict is Verdict.PAUSED:
                progress.waiting[activation.run] = pending_of(outcome.entry)
                return ()
            status = _ENDS[outcome.verdict]
            blocked_by = outcome.blocked_by if status is RunStatus.BLOCKED else None
            raise RunEnded(RunOutcome(status, progress.last_output, blocked_by, outcome.reason))
        run = activation.run
        transition = settle(self._workflow, progress, run, outcome.output, outcome.labels)
        progress.committed(run, outcome.entry.output)
        if transition.loop or transition.exhausted:
            loops = [*((transition.loop,) if transition.loop else ()), *transition.exhausted]
            await self._record_loops(loops, exhausted=transition.exhausted)
        return transition.activated

    async def _record_loops(self, loops: Iterable[LoopIteration], *, exhausted: tuple[LoopIteration, ...]) -> None:
        now, epoch = self._tools.clock.now(), self._progress.epoch
        drafts = [loop_draft(self._run, loop, epoch, now, over=loop in exhausted) for loop in loops]
        await self._tools.recorder.append(self._run.run_id, drafts)

    def _completed(self) -> RunOutcome:
        return completed(frontier.results(self._progress.graph), self._progress.outputs, self._progress.last_output)

    async def _pause(self) -> Run:
        run, progress = self._run, self._progress
        waiting = tuple(progress.waiting.values())
        draft = paused_draft(run, waiting, progress.epoch, self._tools.clock.now())
        (entry,) = await self._tools.recorder.append(run.run_id, (draft,), RunChange(status=RunStatus.PAUSED))
        return run._replace(
            status=RunStatus.PAUSED,
            usage=self._context.budget.spent,
            entries=entry.sequence,
            head_hash=entry.hash,
            update_time=entry.time,
            pending_approval=waiting[0],
        )

    async def _finish(self, outcome: RunOutcome) -> Run:
        if outcome.status is not RunStatus.COMPLETED and not outcome.output:
            outcome = replace(outcome, output=self._progress.last_output)
        run, spent = self._run, self._context.budget.spent
        draft, change = ending(run, outcome, spent, self._tools.clock.now(), self._context.principal)
        (entry,) = await self._tools.recorder.append(run.run_id, (draft,), change)
        return self._ended(outcome, entry)

    def _ended(self, outcome: RunOutcome, entry: LedgerEntry) -> Run:
        return self._run._replace(
            status=outcome.status,
            output=outcome.output,
            usage=self._context.budget.spent,
            entries=entry.sequence,
            head_hash=entry.hash,
            update_time=entry.time,
            blocked_by=outcome.blocked_by,
            reason=outcome.reason,
        )
