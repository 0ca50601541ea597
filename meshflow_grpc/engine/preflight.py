"""Every rule a request would violate, found without executing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.check import PolicyViolation
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.governance.budget import Budget, BudgetLimits
from meshflow_grpc.governance.risk import risk_of
from meshflow_grpc.kernel.model_call import max_output_tokens, worst_case
from meshflow_grpc.kernel.stages.input_guardrails import ATTACKS

if TYPE_CHECKING:
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.engine.admission import AdmittedRun
    from meshflow_grpc.kernel.ports import KernelPorts

# Most bytes of text per output token, to bound what one node's output adds to the next node's input.
TOKEN_BYTES = 4


def approval_nodes(admitted: AdmittedRun) -> tuple[str, ...]:
    """Nodes whose steps would wait for a human."""
    human = admitted.policy.policy.human_in_loop
    return tuple(
        node.id
        for node in admitted.workflow.compiled.workflow.nodes
        if node.kind is NodeKind.HUMAN or (human.enabled and risk_of(node) >= human.tier_threshold)
    )


class Preflight:
    """Estimates the worst case and looks for what a run could not pass."""

    def __init__(self, ports: KernelPorts) -> None:
        self._ports = ports

    def check(self, admitted: AdmittedRun) -> tuple[tuple[PolicyViolation, ...], Usage]:
        """Returns the violations and the worst-case usage of one pass through every node."""
        worst = [self._node(admitted, node) for node in admitted.workflow.compiled.workflow.nodes]
        estimate = sum(worst, ZERO_USAGE)
        return (*self._guardian(admitted), *self._budget(admitted, estimate)), estimate

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
