"""Every rule a request would violate, found without executing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.check import NodeExpectation, PolicyViolation, RunExpectation
from meshflow_grpc.domain.policy import RuleEffect
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage, nano_usd
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.engine.agent_tools import offered_tools, specs_of
from meshflow_grpc.engine.run_contexts import budget_of
from meshflow_grpc.governance.compliance import StepFacts, objections
from meshflow_grpc.governance.policy_rules import decide
from meshflow_grpc.governance.risk import risk_of
from meshflow_grpc.governance.session_budget import SessionAccount
from meshflow_grpc.governance.tool_permission import tool_refusal
from meshflow_grpc.kernel.agent_call import max_tool_rounds
from meshflow_grpc.kernel.model_call import model_of, worst_case
from meshflow_grpc.kernel.peer_request import peer_share, target_of
from meshflow_grpc.kernel.recipients import refused_recipient
from meshflow_grpc.kernel.stages.input_guardrails import ATTACKS
from meshflow_grpc.kernel.stages.policy_evaluation import rule_variables
from meshflow_grpc.kernel.stages.sensitive_data_scan import SENSITIVE, denied_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.domain.usage import SessionUse
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.engine.admission import AdmittedRun
    from meshflow_grpc.governance.learning import WorkflowStatistics
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.ports.tools import ToolCatalog

# Most bytes of text per output token, to bound what one node's output adds to the next node's input.
TOKEN_BYTES = 4


class Preflight:
    """Estimates the worst case and looks for what a run could not pass."""

    def __init__(self, ports: KernelPorts, catalog: ToolCatalog) -> None:
        self._ports = ports
        self._catalog = catalog

    def check(
        self,
        admitted: AdmittedRun,
        session: SessionUse | None = None,
        learned: WorkflowStatistics | None = None,
    ) -> tuple[tuple[PolicyViolation, ...], Usage]:
        """Returns the violations and the worst-case usage of one pass through every node.

        ``session`` is what the request's session has used, needed under a session budget; what was ``learned`` raises the worst case as
        it raises reservations.
        """
        nodes = admitted.workflow.compiled.workflow.nodes
        estimate = sum((self._node(admitted, node, learned) for node in nodes), ZERO_USAGE)
        estimate += peer_shares(admitted.policy.policy, nodes, estimate)
        rules = (violation for violation, _ in self._rules(admitted) if violation is not None)
        found = (
            *_floors(admitted),
            *rules,
            *self._profiles(admitted),
            *self._guardian(admitted),
            *self._sensitive(admitted),
            *self._tools(admitted),
            *self._peers(admitted),
            *self._recipients(admitted),
            *_budget(admitted, estimate, session),
        )
        return found, estimate

    def expectation(self, admitted: AdmittedRun, learned: WorkflowStatistics) -> RunExpectation | None:
        """What the run will probably use; None when no run was learned from."""
        if not learned.runs:
            return None
        known, total = [], ZERO_USAGE
        for node in admitted.workflow.compiled.workflow.nodes:
            model = model_of(node, self._ports)
            seen = learned.node(node.id, model) if node.kind is NodeKind.AGENT else None
            if seen is None:
                total += self._node(admitted, node, learned)
            else:
                total += seen.per_run
                known.append(NodeExpectation(node.id, model, seen.runs, seen.per_run, seen.max_cost_nano_usd))
        return RunExpectation(learned.runs, total, tuple(known))

    def approval_nodes(self, admitted: AdmittedRun) -> tuple[str, ...]:
        """Ids of the nodes whose steps would wait for a human on the first pass, in the workflow's order."""
        human = admitted.policy.policy.human_in_loop
        ruled = {node for _, node in self._rules(admitted) if node}
        return tuple(
            node.id
            for node in admitted.workflow.compiled.workflow.nodes
            if node.id in ruled
            or node.kind is NodeKind.HUMAN
            or (human.enabled and risk_of(node) >= human.tier_threshold)
        )

    def _rules(self, admitted: AdmittedRun) -> Iterator[tuple[PolicyViolation | None, str]]:
        """Per node that a rule would stop on the first pass: the violation, or the node's id when a human may let it pass."""
        rules, tenant = admitted.policy.policy.rules, admitted.principal.tenant_id
        for node in admitted.workflow.compiled.workflow.nodes if rules else ():
            verdict = decide(rules, rule_variables(node, admitted.workflow.agents, tenant, ZERO_USAGE))
            if verdict is None or verdict.effect is RuleEffect.ALLOW:
                continue
            if verdict.effect is RuleEffect.PAUSE and not verdict.error:
                yield None, node.id
                continue
            why = f": {verdict.error}" if verdict.error else ""
            message = f"rule {verdict.rule.name!r} denies node {node.id!r}{why}"
            field = f"policy.rules[{rules.index(verdict.rule)}]"
            yield PolicyViolation(field, "policy_evaluation", message, "change the rule, or the workflow"), ""

    def _node(self, admitted: AdmittedRun, node: Node, learned: WorkflowStatistics | None) -> Usage:
        if node.kind is not NodeKind.AGENT:
            return Usage(steps=1)
        workflow = admitted.workflow.compiled.workflow
        sources = {edge.source for edge in workflow.edges if edge.target == node.id}
        upstream = sum(n.max_output_tokens for n in workflow.nodes if n.id in sources)
        prompt = admitted.task + "x" * (upstream * TOKEN_BYTES)
        policy = admitted.policy.policy
        specs = specs_of(offered_tools(node, policy, self._catalog, admitted.principal.tenant_id))
        once = worst_case(node, prompt, policy, self._ports, specs, learned=learned)
        # Each round is one more model call, and at least one tool call that is a step of its own.
        return sum([once] * max_tool_rounds(node), once) if specs else once

    def _tools(self, admitted: AdmittedRun) -> tuple[PolicyViolation, ...]:
        """Tool nodes the policy does not permit; an agent goes on without such tools."""
        policy = admitted.policy.policy
        found = []
        for node in admitted.workflow.compiled.workflow.nodes:
            name = node.config.get("tool") if node.kind is NodeKind.TOOL else None
            tool = self._catalog.tool(name) if isinstance(name, str) else None
            if tool is not None and not tool.serves(admitted.principal.tenant_id):
                message = f"node {node.id!r} uses tool {name!r}, which touches data of other tenants"
                place = f"workflow.nodes.{node.id}.tool"
                found.append(PolicyViolation(place, "tenant_scoping", message, "use a tool of your tenant"))
            why = tool_refusal(policy, name) if isinstance(name, str) else None
            if why is not None:
                message = f"node {node.id!r} uses tool {name!r}: {why}"
                found.append(
                    PolicyViolation(f"workflow.nodes.{node.id}.tool", "tool_permission", message, "permit the tool")
                )
        return tuple(found)

    def _peers(self, admitted: AdmittedRun) -> Iterator[PolicyViolation]:
        """Nodes for which there is no peer just now; a run that comes there later may find one."""
        mesh = self._ports.mesh
        if mesh is None:
            return
        for node in admitted.workflow.compiled.workflow.nodes:
            target = target_of(node)
            if node.kind is NodeKind.GRPC and not mesh.peers.candidates(admitted.principal.tenant_id, target):
                named = ", ".join(filter(None, (target.slug, target.concern, *target.failover)))
                field = f"workflow.nodes.{node.id}.{'peer' if target.slug else 'concern'}"
                message = f"no live node of the mesh takes it: {named}"
                yield PolicyViolation(field, "execution", message, "start the node, or name one that lives")

    def _recipients(self, admitted: AdmittedRun) -> Iterator[PolicyViolation]:
        """The model provider, where stage 11 would not let data go there."""
        agents = (n for n in admitted.workflow.compiled.workflow.nodes if n.kind is NodeKind.AGENT)
        node = next(agents, None)
        if node is not None:
            refusal = refused_recipient(self._ports, admitted.policy.policy, node)
            if refusal is not None:
                yield PolicyViolation("policy.compliance", "tool_permission", refusal.message, refusal.remedy)

    def _profiles(self, admitted: AdmittedRun) -> tuple[PolicyViolation, ...]:
        """What stage 6 would object to in any step."""
        facts = StepFacts(
            admitted.policy.policy,
            admitted.principal,
            admitted.request.labels,
            True,
            self._ports.safeguards,
            admitted.workflow.reviewed,
            admitted.approved,
        )
        return tuple(
            PolicyViolation(o.field, "compliance_profile", f"{o.control}: {o.message}", o.remedy)
            for o in objections(facts)
        )

    def _sensitive(self, admitted: AdmittedRun) -> tuple[PolicyViolation, ...]:
        """What stage 8 would refuse of the task itself."""
        scan = self._ports.scanner.scan_input(admitted.task)
        refusal = denied_data({f.category for f in scan.of(*SENSITIVE)}, admitted.policy.policy, "input")
        if refusal is None:
            return ()
        field = "task" if admitted.request.task is not None else "input"
        return (PolicyViolation(field, "sensitive_data_scan", refusal.message, refusal.remedy),)

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


def peer_shares(policy: Policy, nodes: Iterable[Node], others: Usage) -> Usage:
    """Most that peers can be given in one pass: each its share of what the others leave."""
    budget, total = budget_of(policy, others, None), ZERO_USAGE
    for node in nodes:
        if node.kind is NodeKind.GRPC:
            share = peer_share(node, budget).without_steps()
            budget.settle(ZERO_USAGE, share)
            total += share
    return total


def _budget(admitted: AdmittedRun, estimate: Usage, session: SessionUse | None) -> tuple[PolicyViolation, ...]:
    policy, share = admitted.policy.policy, None
    if session is not None and policy.session_budget_usd is not None:
        account = SessionAccount(session.total_nano_usd)
        share = account.join("", admitted.request.session_id or "", nano_usd(policy.session_budget_usd))
    return tuple(
        PolicyViolation(f"policy.{short.field}", "budget_check", f"the worst case {short}", short.remedy)
        for short in budget_of(policy, ZERO_USAGE, share).shortfalls(estimate)
    )


def _floors(admitted: AdmittedRun) -> tuple[PolicyViolation, ...]:
    """What asks for less than a floor; leaving it out is the cheapest fix, because floors raise what nobody set."""
    return tuple(
        PolicyViolation(
            v.field, "policy_evaluation", v.description.partition(": ")[0], v.description.partition(": ")[2]
        )
        for v in admitted.policy.below_floor
    )
