"""Stage 12: the step does its work, behind breaker, retries and time-outs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.kernel.agent_call import AgentCall
from meshflow_grpc.kernel.call_record import intent_draft, may_repeat
from meshflow_grpc.kernel.decision import Fail
from meshflow_grpc.kernel.peer_call import call_peer
from meshflow_grpc.kernel.state import Execution
from meshflow_grpc.kernel.tool_call import call_tool

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from meshflow_grpc.kernel.decision import Refusal
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState

# An enum's member is looked up in its class by a function, and every step asks for these.
_AGENT: Final = NodeKind.AGENT
_EXTERNAL_IO: Final = RiskTier.EXTERNAL_IO


class ExecutionStage:
    """Calls the node's agent, tool, function or peer. What reaches outside is announced in the ledger first."""

    name: ClassVar[str] = "execution"

    def __init__(self, ports: KernelPorts) -> None:
        self._ports = ports

    def apply(self, state: StepState) -> Awaitable[StepState | Refusal]:
        """Notes the execution, or says why there is none; cancellation and LedgerUnavailableError pass through."""
        step = state.step
        # Reaches nothing outside, so that nothing has to be said before it, and it may be done again: most agents' steps.
        if step.node.kind is _AGENT and step.action is None and state.risk < _EXTERNAL_IO:
            return AgentCall(self._ports, state).run()
        return self._apply(state)

    async def _apply(self, state: StepState) -> StepState | Refusal:
        step = state.step
        if step.node.kind is NodeKind.HUMAN:
            state.execution = _human_answer(state)
            return state
        if step.node.kind is NodeKind.GRPC and step.action is not None:
            return await call_peer(self._ports, state, step.action)
        if step.in_doubt and not may_repeat(state):
            return Fail("IN_DOUBT", in_doubt_message(step.step_id, state.risk), Usage(steps=1))
        if state.risk >= RiskTier.EXTERNAL_IO:
            draft = intent_draft(state, self._ports.clock.now())
            await self._ports.recorder.append(step.run.run_id, (draft,))
        action = step.action
        if action is None or action.tool is None:
            return await AgentCall(self._ports, state).run()
        return await call_tool(self._ports, state, action, action.tool)


def in_doubt_message(step_id: str, risk: RiskTier) -> str:
    """What to tell people about a step that may have acted before."""
    return (
        f"IN_DOUBT: step {step_id!r} ({risk.label}) was begun before and its outcome is not known; "
        "it is not executed again: find out what was done, then start a new run"
    )


def _human_answer(state: StepState) -> Execution:
    """The output of a gate: what the reviewer decided and said. Stage 9 lets no gate pass without an approval."""
    granted = state.step.granted
    if granted is None:
        message = f"gate {state.step.step_id!r} was reached without an approval"
        raise ValueError(message)
    answer = {"comment": granted.comment, "decision": "approve", "reviewer": granted.reviewer}
    output = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return Execution(output, "", Usage(steps=1), ZERO_USAGE, 1)
