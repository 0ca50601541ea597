"""Every rule a request would violate, found without executing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.check import PolicyViolation
from meshflow_grpc.domain.policy import RuleEffect
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.governance.budget import Budget, BudgetLimits
from meshflow_grpc.governance.enforcement import ENFORCED_BY
from meshflow_grpc.governance.policy_rules import decide
from meshflow_grpc.kernel.model_call import max_output_tokens, worst_case
from meshflow_grpc.kernel.stages.input_guardrails import ATTACKS
from meshflow_grpc.kernel.stages.policy_evaluation import rule_variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.engine.admission import AdmittedRun
    from meshflow_grpc.kernel.ports import KernelPorts

# Most bytes of text per output token, to bound what one node's output adds to the next node's input.
TOKEN_BYTES = 4


class Preflight:
    """Estimates the worst case and looks for what a run could not pass."""

    def __init__(self, ports: KernelPorts) -> None:
        self._ports = ports

    def check(self, admitted: AdmittedRun) -> tuple[tuple[PolicyViolation, ...], Usage]:
        """Returns the violations and the worst-case usage of one pass through every node."""
        worst = [self._node(admitted, node) for node in admitted.workflow.compiled.workflow.nodes]
        estimate = sum(worst, ZERO_USAGE)
        rules = [v for v, _ in self._rules(admitted) if v is not None]
        return (*rules, *self._guardian(admitted), *self._budget(admitted, estimate)), estimate

    def approval_nodes(self, admitted: AdmittedRun) -> tuple[str, ...]:
        """Ids of the nodes a rule would hold for a human on the first pass."""
        return tuple(node for _, node in self._rules(admitted) if node)

    def _rules(self, admitted: AdmittedRun) -> Iterator[tuple[PolicyViolation | None, str]]:
        """Per node that a rule would stop on the first pass: the violation, and the node if a human could let it pass."""
        rules, tenant = admitted.policy.policy.rules, admitted.principal.tenant_id
        for node in admitted.workflow.compiled.workflow.nodes if rules else ():
            verdict = decide(rules, rule_variables(node, admitted.workflow.agents, tenant, ZERO_USAGE))
            if verdict is None or verdict.effect is RuleEffect.ALLOW:
                continue
            field = f"policy.rules[{rules.index(verdict.rule)}]"
            paused = verdict.effect is RuleEffect.PAUSE
            does = "pauses" if paused else "denies"
            text = f"rule {verdict.rule.name!r} {does} node {node.id!r}" + (
                f": {verdict.error}" if verdict.error else ""
            )
            gated = paused and "human_in_loop" in ENFORCED_BY
            fix = (
                "change the rule, or the workflow; this server has no approvals"
                if paused
                else "change the rule, or the workflow"
            )
            yield (
                None if gated else PolicyViolation(field, "policy_evaluation", text, fix),
                node.id if paused else "",
            )

    def _node(self, admitted: AdmittedRun, node: Node) -> Usage:
        if node.kind is not NodeKind.AGENT:
            return Usage(steps=1)
        workflow = admitted.workflow.compiled.workflow
        sources = {edge.source for edge in workflow.edges if edge.target == node.id}
        upstream = sum(max_output_tokens(n) for n in workflow.nodes if n.id in sources)
        prompt = admitted.task + "x" * (upstream * TOKEN_BYTES)
        return worst_case(node, prompt, admitted.policy.policy, self._ports)

    def _guardian(self, admitted: AdmittedRun) -> tuple[PolicyViolation, ...]:
        if not admitted.policy.policy.enable_guardian:
            return ()
        attacks = self._ports.scanner.scan_input(admitted.task).of(*ATTACKS)
        kinds = sorted({f"{a.category}/{a.kind}" for a in attacks})
        field = "task" if admitted.request.task is not None else "input"
        return tuple(
            PolicyViolation(
                field, "input_guardrails", f"the guardian found {kind}", "remove the instruction from the input"
            )
            for kind in kinds
        )

    def _budget(self, admitted: AdmittedRun, estimate: Usage) -> tuple[PolicyViolation, ...]:
        policy = admitted.policy.policy
        carbon = policy.carbon_budget_g if policy.enable_environmental else None
        limits = BudgetLimits.of(policy.budget_usd, policy.budget_tokens, policy.max_steps, carbon)
        return tuple(
            PolicyViolation(
                f"policy.{short.field}", "budget_check", f"the worst case {short}", f"raise policy.{short.field}"
            )
            for short in Budget(limits).shortfalls(estimate)
        )
