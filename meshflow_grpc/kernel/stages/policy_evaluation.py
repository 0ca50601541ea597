"""Stage 5: the step is held to the policy the run was started with, and to its rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from meshflow_grpc.domain.policy import RuleEffect
from meshflow_grpc.governance.enforcement import unenforced
from meshflow_grpc.governance.policy_rules import RuleVerdict, decide
from meshflow_grpc.governance.risk import risk_of
from meshflow_grpc.kernel.approval import approved_or
from meshflow_grpc.kernel.decision import Deny, Pause
from meshflow_grpc.kernel.stage import Check, Noted

if TYPE_CHECKING:
    from meshflow_grpc.domain.tool import Action
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.kernel.state import StepState


class PolicyEvaluation(Check):
    """Denies under a policy this server cannot hold a step to, and evaluates the policy's rules."""

    name = "policy_evaluation"

    def apply(self, state: StepState) -> StepState | Noted | Deny | Pause:
        """A resumed run may carry a policy made by a server that enforces more; it is refused, not weakened."""
        policy = state.step.run.policy
        if idle := unenforced(policy):
            return Deny(
                "POLICY_NOT_ENFORCEABLE",
                f"the run's policy sets {', '.join(idle)}, which this server does not enforce",
                "resume the run on a server that enforces them",
            )
        if not policy.rules:
            return state
        step, run = state.step, state.step.run
        variables = rule_variables(
            step.node,
            run.agents,
            run.tenant_id,
            run.budget.spent,
            labels=state.labels,
            iteration=step.iteration,
            action=step.action,
        )
        verdict = decide(policy.rules, variables)
        return state if verdict is None else _answer(state, verdict)


def _answer(state: StepState, verdict: RuleVerdict) -> StepState | Noted | Deny | Pause:
    rule = verdict.rule
    if verdict.error:
        return Deny(
            "RULE_NOT_EVALUABLE",
            f"rule {rule.name!r} could not be evaluated, so the step was denied: {verdict.error}",
            "correct the rule's expression in policy.rules",
        )
    if verdict.effect is RuleEffect.ALLOW:
        return Noted("allow", f"rule {rule.name}")
    message = f"rule {rule.name!r} matched: {rule.expression}"
    if verdict.effect is RuleEffect.PAUSE:
        return _held(state, f"{message}; a human has to approve the step")
    return Deny("RULE_DENIED", message, "change the step, or the rule in policy.rules")


def _held(state: StepState, message: str) -> StepState | Noted | Deny | Pause:
    action = state.step.action
    if action is not None and action.parent is not None:
        return Deny(
            "APPROVAL_UNAVAILABLE", f"{message}, and an agent's loop cannot wait", "call it in a node of its own"
        )
    return approved_or(state, Pause("RULE_PAUSED", message))


def rule_variables(
    node: Node,
    agents: Mapping[str, str],
    tenant_id: str,
    spent: Usage,
    *,
    labels: frozenset[str] = frozenset(),
    iteration: int = 1,
    action: Action | None = None,
) -> Mapping[str, object]:
    """What rules see of a step (docs/policy.md); the defaults are those of a step that comes first."""
    model, tool, args = (node.config.get(key) for key in ("model", "tool", "args"))
    if action is not None:
        tool, args = action.name, action.arguments
    return {
        "agent": {
            "id": node.id,
            "role": node.role,
            "digest": agents.get(node.id, ""),
            "model": model if isinstance(model, str) else "",
        },
        "node": {"id": node.id, "kind": node.kind.value, "role": node.role, "iteration": iteration},
        "tool": tool if isinstance(tool, str) else "",
        "args": args if isinstance(args, Mapping) else {},
        "risk": int(risk_of(node, action)),
        "taint": sorted(labels),
        "tenant": tenant_id,
        "spend": {
            "usd": spent.cost_nano_usd / 1e9,
            "tokens": spent.tokens,
            "steps": spent.steps,
            "carbon_g": spent.carbon_ug / 1e6,
        },
    }
