"""Stage 14: the step becomes evidence. Its entry is durable before anyone sees its output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from meshflow_grpc.domain.json_value import json_string
from meshflow_grpc.domain.ledger_entry import EntryDraft, EntryKind
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.governance.budget import minus
from meshflow_grpc.kernel.call_record import call_facts, input_payload
from meshflow_grpc.kernel.decision import Verdict
from meshflow_grpc.ports.storage import RunChange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.peer_step import PeerRecord
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import Execution, StepState

KINDS = {
    Verdict.COMMITTED: EntryKind.STEP_COMMITTED,
    Verdict.DENIED: EntryKind.STEP_DENIED,
    Verdict.PAUSED: EntryKind.STEP_PAUSED,
    Verdict.FAILED: EntryKind.STEP_FAILED,
    Verdict.CANCELLED: EntryKind.STEP_CANCELLED,
}
_COMMITTED: Final = Verdict.COMMITTED
# As facts hold them: plain text, which an enum's ``value`` takes a call to give.
WORDS = {verdict: verdict.value for verdict in Verdict}


@dataclass(slots=True, eq=False)
class StepEnd:
    """A step that is over: its last state, how it ended, and what each stage decided."""

    state: StepState
    verdict: Verdict
    stages: list[JsonValue]
    usage: Usage
    latency_ms: int
    sla: str
    blocked_by: str | None = None
    reason: str | None = None
    message: str | None = None
    approval: Mapping[str, JsonValue] | None = None
    peer: PeerRecord | None = None


class AuditLedger:
    """Appends the step's entry and adds its usage to the run, in one transaction. Fail closed: no entry, no output.

    The entry of a run's last step comes with the one that ends the run.
    """

    name: ClassVar[str] = "audit_ledger"

    def __init__(self, ports: KernelPorts) -> None:
        self._ports = ports

    async def record(self, end: StepEnd) -> LedgerEntry:
        """Returns the durable entry; raises LedgerUnavailableError when there is none."""
        step = end.state.step
        run = step.run
        draft = EntryDraft(
            run.run_id,
            run.tenant_id,
            KINDS[end.verdict],
            self._ports.clock.now(),
            step.node.id,
            step.step_id,
            step.epoch,
            _facts(end),
            input_payload(end.state),
            _output(end),
        )
        closing = step.closing if end.verdict is _COMMITTED else None
        last = None if closing is None else closing.change(end.state.output or "", _spent(end))
        if closing is None or last is None:
            (entry,) = await self._ports.recorder.append(run.run_id, (draft,), RunChange(end.usage))
            return entry
        drafts, change = (draft, last[0]), last[1]._replace(step_usage=end.usage)
        entry, end_of_run = await self._ports.recorder.append(run.run_id, drafts, change)
        closing.recorded(end_of_run)
        return entry


def _spent(end: StepEnd) -> Usage:
    """What the run will have used once the step is settled."""
    prepaid = end.state.execution.prepaid if end.state.execution is not None else ZERO_USAGE
    return end.state.step.run.budget.spent + minus(end.usage, prepaid)


def _output(end: StepEnd) -> str | None:
    """What the step said, or why there is nothing: a payload, because a person may be named in either."""
    if end.verdict is _COMMITTED:
        return f'{{"output":{json_string(end.state.output or "")}}}'
    return None if end.message is None else f'{{"message":{json_string(end.message)}}}'


def _add_execution(facts: dict[str, JsonValue], execution: Execution, state: StepState) -> None:
    facts["attempts"] = execution.attempts
    if execution.model:
        facts["model"] = execution.model
        facts["stop_reason"] = execution.stop_reason
        if execution.confidence is not None:
            facts["confidence_ppm"] = round(execution.confidence * 1_000_000)
        if state.step.run.policy.enable_cross_run_learning:
            bound = state.reserved
            facts["reserved_tokens"] = {"input": bound.input_tokens, "output": bound.output_tokens}


def _add_found(facts: dict[str, JsonValue], state: StepState) -> None:
    """What stages found that only some steps have: controls held, data masked, recipients."""
    if state.controls:
        facts["controls"] = list(state.controls)
    if state.recipients is not None:
        facts["recipients"] = [recipient.facts() for recipient in state.recipients]
    if state.masked:
        facts["masked"] = dict(state.masked)


def _add_end(facts: dict[str, JsonValue], end: StepEnd) -> None:
    """Why a step did not pass, whom it waits for, who let it pass."""
    if end.reason is not None:
        facts["blocked_by"] = end.blocked_by
        facts["reason"] = end.reason
    if end.approval is not None:
        facts["approval"] = dict(end.approval)
    granted = end.state.step.granted
    if granted is not None:
        facts["approved_by"] = {"approval_id": granted.approval_id, "reviewer": granted.reviewer}


def _facts(end: StepEnd) -> Mapping[str, JsonValue]:
    state, step = end.state, end.state.step
    run, node, usage = step.run, step.node, end.usage
    facts: dict[str, JsonValue] = {
        "actor": {
            "principal": run.principal.id,
            "auth": run.principal.method,
            "agent_digest": run.agents.get(node.id, ""),
        },
        "carbon_ug": usage.carbon_ug,
        "cost_nano_usd": usage.cost_nano_usd,
        "iteration": step.iteration,
        "labels": sorted(state.labels),
        "latency_ms": end.latency_ms,
        "policy_digest": run.policy_digest,
        "risk": state.risk.label,
        "role": node.role,
        "sla": end.sla,
        "stages": end.stages,
        "step": step.number,
        "tokens": {"input": usage.input_tokens, "output": usage.output_tokens},
        "verdict": WORDS[end.verdict],
    }
    if step.action is not None:
        facts |= call_facts(step)
    execution = state.execution
    peer = end.peer or (None if execution is None else execution.peer)
    if execution is not None:
        _add_execution(facts, execution, state)
    if peer is not None:
        facts["peer"] = peer.facts()
    _add_found(facts, state)
    _add_end(facts, end)
    return facts
