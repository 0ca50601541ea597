"""Runs one step through the fifteen stages. The only way to execute anything."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Final

import structlog

from meshflow_grpc.domain.errors import LedgerUnavailableError, MeshflowError, StepNotRecordedError
from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.governance.budget import minus
from meshflow_grpc.kernel.approval import approval_facts
from meshflow_grpc.kernel.decision import Deny, Fail, Interrupted, Pause, Verdict
from meshflow_grpc.kernel.pipeline import FIFTEEN_STAGES, STAGE_NAMES
from meshflow_grpc.kernel.stage import Check, Noted
from meshflow_grpc.kernel.stages.audit_ledger import AuditLedger, StepEnd
from meshflow_grpc.kernel.stages.execution import ExecutionStage
from meshflow_grpc.kernel.stages.sla_record import SlaRecord
from meshflow_grpc.kernel.state import StageDecision, StepOutcome, StepState
from meshflow_grpc.ledger.canonical import Written
from meshflow_grpc.ports.tracer import NoTracer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.peer_step import PeerRecord
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.kernel.decision import Refusal
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import Step
    from meshflow_grpc.ports.tracer import Span

    _Apply = Callable[[StepState], StepState | Noted | Refusal]

_log = structlog.get_logger(__name__)

_COMMITTED: Final = Verdict.COMMITTED
_CANCELLED: Final = Verdict.CANCELLED
_VERDICTS: Final = {Deny: Verdict.DENIED, Pause: Verdict.PAUSED, Fail: Verdict.FAILED}
_WORDS: Final = {Deny: "deny", Pause: "pause", Fail: "fail"}
_ALLOWED: Final[tuple[JsonValue, ...]] = tuple({"stage": name, "decision": "allow"} for name in STAGE_NAMES)
_ALL_ALLOWED: Final = Written(_ALLOWED)
_SKIPPED: Final[tuple[JsonValue, ...]] = tuple({"stage": name, "decision": "skip"} for name in STAGE_NAMES)
_EXECUTION: Final = STAGE_NAMES.index("execution")
_LEDGER: Final = STAGE_NAMES.index("audit_ledger")


class Kernel:
    """Holds the stages, built once per process."""

    def __init__(self, ports: KernelPorts) -> None:
        self._ports = ports
        self._tracing = not isinstance(ports.tracer, NoTracer)
        stages = [stage(ports) for stage in FIFTEEN_STAGES]
        checks = [(index, stage.apply) for index, stage in enumerate(stages) if isinstance(stage, Check)]
        self._before = tuple(check for check in checks if check[0] < _EXECUTION)
        self._after = tuple(check for check in checks if check[0] > _EXECUTION)
        self._execution = next(s for s in stages if isinstance(s, ExecutionStage))
        self._ledger = next(s for s in stages if isinstance(s, AuditLedger))
        self._sla = next(s for s in stages if isinstance(s, SlaRecord))

    def run_step(self, step: Step) -> Coroutine[object, object, StepOutcome]:
        """Governs one step and returns how it ended, with its durable entry.

        Raises LedgerUnavailableError when the entry cannot be made durable: the output is then not released. Cancellation is recorded
        as a cancelled step before it propagates.
        """
        return self._traced(step) if self._tracing else self._govern(step)

    async def _traced(self, step: Step) -> StepOutcome:
        action = step.action
        tool = action.name if action is not None and action.is_tool else None
        with self._ports.tracer.step(step.run.run_id, step.node, step.step_id, tool) as span:
            return await self._govern(step, span)

    async def _govern(self, step: Step, span: Span | None = None) -> StepOutcome:
        started = self._ports.clock.monotonic()
        passage = _Passage(StepState(step, step.prompt, step.labels, step.node.risk, started))
        cancelled = False
        if passage.checked(self._before):
            cancelled = not await self._execute(passage)
        outcome = await self._record(passage, cancelled=cancelled)
        if span is not None:
            span.ended(outcome.verdict.value, outcome.usage, outcome.reason)
        if cancelled:
            raise asyncio.CancelledError
        return outcome

    async def _execute(self, passage: _Passage) -> bool:
        """Stages 12 and 13. Returns False when the step was cancelled."""
        try:
            result = await self._execution.apply(passage.state)
        except asyncio.CancelledError as error:
            if isinstance(error, Interrupted):
                passage.interrupted = error.usage.without_steps()
                passage.prepaid, passage.peer = error.prepaid, error.peer
            return False
        except LedgerUnavailableError:
            raise
        except Exception:  # noqa: BLE001 - fail closed: whatever execution raises fails the step
            _log.exception("stage_failed", stage=STAGE_NAMES[_EXECUTION], step=passage.state.step.step_id)
            result = Fail("STAGE_FAILED", "stage execution failed; nothing was released")
        if passage.take(_EXECUTION, result):
            passage.checked(self._after)
        return True

    async def _record(self, passage: _Passage, *, cancelled: bool) -> StepOutcome:
        """Stages 14 and 15: always, and not to be cancelled."""
        end = self._end(passage, cancelled=cancelled)
        try:
            entry = await self._ledger.record(end)
        except MeshflowError:
            raise
        except Exception:  # noqa: BLE001 - fail closed: whatever the stage raises withholds the output
            _log.exception("stage_failed", stage=STAGE_NAMES[_LEDGER], step=end.state.step.step_id)
            end = _withheld(end)
            entry = await self._recorded(end)
        state = end.state
        state.step.run.budget.settle(state.reserved, minus(end.usage, passage.prepaid))
        self._observe(end)
        output = (state.output or "") if end.verdict is _COMMITTED else ""
        return StepOutcome(state.step, end.verdict, entry, output, end.usage, state.labels, end.blocked_by, end.message)

    async def _recorded(self, end: StepEnd) -> LedgerEntry:
        """The entry of a step whose stage 14 broke: it is denied by it, and when not even that can be recorded the run fails."""
        try:
            return await self._ledger.record(end)
        except MeshflowError:
            raise
        except Exception as error:
            raise StepNotRecordedError(end.state.step.step_id) from error

    def _judge(self, state: StepState, latency: int, stages: list[JsonValue]) -> tuple[str, list[JsonValue]]:
        """Stage 15 never blocks: a defect in it is noted among the decisions, which are given back."""
        try:
            return self._sla.judge(state.step.node, latency), stages
        except Exception:  # noqa: BLE001 - the stage never blocks
            _log.exception("stage_failed", stage=STAGE_NAMES[-1], step=state.step.step_id)
            broken: JsonValue = {"stage": STAGE_NAMES[-1], "decision": "fail", "reason": "STAGE_FAILED"}
            return "unknown", [*stages[:-1], broken]

    def _observe(self, end: StepEnd) -> None:
        try:
            self._sla.observe(end)
        except Exception:  # noqa: BLE001 - the stage never blocks
            _log.exception("stage_failed", stage=STAGE_NAMES[-1], step=end.state.step.step_id)

    def _end(self, passage: _Passage, *, cancelled: bool) -> StepEnd:
        state, refusal = passage.state, passage.refusal
        latency = round((self._ports.clock.monotonic() - state.started) * 1000)
        sla, stages = self._judge(state, latency, passage.stages(cancelled=cancelled))
        if cancelled:
            return StepEnd(
                state,
                _CANCELLED,
                stages,
                passage.interrupted,
                latency,
                sla,
                "execution",
                "CANCELLED",
                "the run was cancelled",
                peer=passage.peer,
            )
        if refusal is None:
            usage = state.execution.usage if state.execution else ZERO_USAGE
            return StepEnd(state, _COMMITTED, stages, usage, latency, sla)
        remedy = getattr(refusal, "remedy", "")
        message = f"{refusal.message}; {remedy}" if remedy else refusal.message
        verdict = _VERDICTS[type(refusal)]
        approval = approval_facts(state.step, self._ports.clock.now()) if isinstance(refusal, Pause) else None
        return StepEnd(
            state,
            verdict,
            stages,
            passage.usage,
            latency,
            sla,
            passage.refused_by,
            refusal.reason,
            message,
            approval,
            refusal.peer,
        )


def _withheld(end: StepEnd) -> StepEnd:
    """The step as it is recorded when recording it as it was broke; a cancelled step stays cancelled."""
    stages = list(end.stages)
    stages[_LEDGER] = {"stage": STAGE_NAMES[_LEDGER], "decision": "deny", "reason": "STAGE_FAILED"}
    return dataclasses.replace(
        end,
        verdict=_CANCELLED if end.verdict is _CANCELLED else Verdict.DENIED,
        stages=stages,
        blocked_by=STAGE_NAMES[_LEDGER],
        reason="STAGE_FAILED",
        message="stage audit_ledger failed; nothing was released; report this with the run id",
        approval=None,
    )


class _Passage:
    """One step on its way: the current state and what each stage decided. ``_reached`` stages did, all by "allow" but those noted."""

    __slots__ = ("_noted", "_reached", "interrupted", "peer", "prepaid", "refusal", "refused_by", "state")

    def __init__(self, state: StepState) -> None:
        self.state = state
        self._noted: dict[int, JsonValue] = {}
        self._reached = 0
        self.refusal: Refusal | None = None
        self.refused_by: str | None = None
        self.prepaid = self.interrupted = ZERO_USAGE
        self.peer: PeerRecord | None = None

    def checked(self, checks: Sequence[tuple[int, _Apply]]) -> bool:
        """Asks these stages, each with its place, one after another; returns whether the step goes on. One that raises denies."""
        state = self.state
        unwatched = state.step.live is None
        for index, apply in checks:
            try:
                result = apply(state)
            except Exception:  # noqa: BLE001 - fail closed: whatever a stage raises denies the step
                result = _broken(STAGE_NAMES[index], state)
            if result is state and unwatched:
                continue
            if not self.take(index, result):
                return False
        self._reached = checks[-1][0] + 1
        return True

    def take(self, index: int, result: StepState | Noted | Refusal) -> bool:
        """Notes a stage's answer; returns whether the step goes on."""
        self._reached = index + 1
        if isinstance(result, StepState):
            if result.execution is not None:
                self.prepaid = result.execution.prepaid
            self._tell(index, "allow", "")
            return True
        if isinstance(result, Noted):
            self._note(index, result.decision, result.reason)
            return True
        self.refusal, self.refused_by = result, STAGE_NAMES[index]
        self._note(index, _WORDS[type(result)], result.reason)
        if isinstance(result, Fail) or self.state.execution is None:
            self.prepaid = result.prepaid
        return False

    def _note(self, index: int, decision: str, reason: str) -> None:
        self._noted[index] = {"stage": STAGE_NAMES[index], "decision": decision, "reason": reason}
        self._tell(index, decision, reason)

    def _tell(self, index: int, decision: str, reason: str) -> None:
        live = self.state.step.live
        if live is not None:
            live(StageDecision(STAGE_NAMES[index], decision, reason))

    @property
    def usage(self) -> Usage:
        """What a refused step used: what its attempts may have cost."""
        if self.state.execution is not None:
            return self.state.execution.usage
        return self.refusal.usage if self.refusal is not None else ZERO_USAGE

    def stages(self, *, cancelled: bool) -> list[JsonValue]:
        """All fifteen decisions, in order; of most steps the same list."""
        if self._reached == _LEDGER and not self._noted:
            return _ALL_ALLOWED
        decided = [*_ALLOWED]
        for index, note in self._noted.items():
            decided[index] = note
        if cancelled:
            decided[_EXECUTION] = {"stage": STAGE_NAMES[_EXECUTION], "decision": "cancel", "reason": "CANCELLED"}
        reached = self._reached + cancelled
        decided[reached:_LEDGER] = _SKIPPED[reached:_LEDGER]
        return decided


def _broken(stage: str, state: StepState) -> Deny:
    _log.exception("stage_failed", stage=stage, step=state.step.step_id)
    return Deny("STAGE_FAILED", f"stage {stage} failed; the step was denied", "report this with the run id")
