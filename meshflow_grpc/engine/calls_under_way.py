"""What model calls may have cost that were under way when a run broke off, where the ledger holds no reservation of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.ledger_entry import OUTCOME_KINDS, EntryKind
from meshflow_grpc.domain.usage import ZERO_USAGE
from meshflow_grpc.domain.workflow import NodeKind
from meshflow_grpc.engine.agent_tools import offered_tools, specs_of
from meshflow_grpc.engine.prompt import node_prompt, with_conversation
from meshflow_grpc.kernel.model_call import worst_case
from meshflow_grpc.workflow import frontier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.engine.run_progress import RunProgress
    from meshflow_grpc.engine.run_record import RunOrigin
    from meshflow_grpc.governance.learning import WorkflowStatistics
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.ports.tools import ToolCatalog
    from meshflow_grpc.workflow.compiled import CompiledWorkflow

_LIVES = frozenset({EntryKind.RUN_STARTED, EntryKind.RUN_RESUMED, EntryKind.RUN_PAUSED})


class CallsUnderWay:
    """Bounds them: a step's first call is not reserved in the ledger, every further one is (kernel.durable_reservation)."""

    def __init__(self, ports: KernelPorts, catalog: ToolCatalog) -> None:
        self._ports = ports
        self._catalog = catalog

    def may_have_cost(
        self,
        workflow: CompiledWorkflow,
        progress: RunProgress,
        entries: Sequence[LedgerEntry],
        origin: RunOrigin,
        policy: Policy,
        learned: WorkflowStatistics | None,
    ) -> Usage:
        """The first call of each agent that was ready and has no outcome in this life, begun or not.

        ``progress`` is that of the next life.

        Nothing for a run that waited for a human when it broke off, nor for a fork that has not gone on yet.
        """
        newest = next(entry for entry in reversed(entries) if entry.kind in _LIVES)
        idle = newest.kind is EntryKind.RUN_PAUSED or "forked_from" in newest.facts
        if idle or policy.session_budget_usd is not None:
            return ZERO_USAGE
        tenant_id, life = entries[0].tenant_id, progress.epoch - 1
        known = {entry.step_id for entry in entries if entry.kind in OUTCOME_KINDS and entry.attempt == life}
        known |= progress.reserved.by_step.keys()
        found = ZERO_USAGE
        for activation in frontier.ready(progress.graph):
            node = workflow.graph.node(activation.node_id)
            step_id = f"{activation.node_id}#{activation.iteration}"
            if node.kind is NodeKind.AGENT and activation.run not in progress.waiting and step_id not in known:
                upstream = [(run.node_id, progress.outputs[run]) for run in activation.inputs]
                specs = specs_of(offered_tools(node, policy, self._catalog, tenant_id))
                prompt = with_conversation(node_prompt(origin.task, upstream), origin.conversation)
                found += worst_case(node, prompt, policy, self._ports, specs, learned=learned)
        return found.without_steps()
