"""Stage 11: which tools a step may use, with which arguments, and whom it may hand data to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.governance.tool_permission import tool_refusal
from meshflow_grpc.kernel.decision import Deny
from meshflow_grpc.kernel.recipients import check_recipients
from meshflow_grpc.kernel.stage import Check

if TYPE_CHECKING:
    from meshflow_grpc.domain.tool import Action
    from meshflow_grpc.kernel.state import StepState


class ToolPermission(Check):
    """Denies a tool the policy does not permit or the agent was not offered, and arguments the tool does not take.

    Under profile gdpr also what would be handed to a recipient that is not declared.
    """

    name = "tool_permission"

    def apply(self, state: StepState) -> StepState | Deny:
        """Of steps that call nothing only the recipient is looked at: an agent's step is offered permitted tools only."""
        action = state.step.action
        if action is None:
            return check_recipients(self._ports, state)
        refusal = self._refusal(state, action)
        if refusal is not None:
            return Deny("TOOL_NOT_PERMITTED", refusal, "permit the tool, or do without it")
        problem = action.problem or (action.tool.check(action.arguments) if action.tool else None)
        if problem is not None:
            return Deny("TOOL_ARGUMENTS_INVALID", f"{action.name!r}: {problem}", "correct the arguments")
        return check_recipients(self._ports, state)

    def _refusal(self, state: StepState, action: Action) -> str | None:
        what = "tool" if action.is_tool else "function"
        if action.tool is None:
            return f"there is no {what} {action.name!r}"
        why = tool_refusal(state.step.run.policy, action.name) if action.is_tool else None
        if why is not None:
            return f"tool {action.name!r} is not permitted: {why}"
        if not action.offered:
            return f"tool {action.name!r} was not offered to agent {state.step.node.id!r}"
        return None
