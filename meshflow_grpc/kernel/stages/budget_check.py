"""Stage 4: the worst case of the step is reserved before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.model_call import worst_case
from meshflow_grpc.kernel.peer_request import peer_share
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.kernel.state import StepState

_ONE_STEP = Usage(steps=1)
_AGENT: Final = NodeKind.AGENT
_GRPC: Final = NodeKind.GRPC


class BudgetCheck(Check):
    """Reserves cost, tokens, carbon and the step itself; settled when the step is recorded."""

    name = "budget_check"

    def apply(self, state: StepState) -> StepState | Deny:
        """Denies when any budget could be exceeded, naming the policy field and the number to raise it to."""
        run, node = state.step.run, state.step.node
        if self._ports.clock.monotonic() >= run.deadline:
            return Deny(
                "TIME_BUDGET_EXHAUSTED",
                f"the run used its timeout_s={run.policy.timeout_s:g}",
                "raise policy.timeout_s",
            )
        need = _ONE_STEP
        if node.kind is _AGENT and state.step.action is None:
            tools = state.step.tools
            specs = tools.specs if tools else ()
            need = worst_case(node, state.prompt, run.policy, self._ports, specs, learned=run.learned)
        elif node.kind is _GRPC:
            asked = state.step.asked
            need = peer_share(node, run.budget) if asked is None else asked.share
        short = run.budget.reserve(need)
        if short is None:
            state.reserved = need
            return state
        return Deny("BUDGET_EXHAUSTED", f"step {state.step.step_id!r} {short}", short.remedy)
