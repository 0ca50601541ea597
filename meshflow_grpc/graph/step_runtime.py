"""StepRuntime: one step through the fifteen stages, for programs that have no graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshflow_grpc.domain.run import RunRequest
from meshflow_grpc.domain.usage import usd
from meshflow_grpc.domain.workflow import Workflow
from meshflow_grpc.engine.prompt import node_prompt
from meshflow_grpc.engine.run_entries import run_entries
from meshflow_grpc.governance.policy_fields import request_policy
from meshflow_grpc.graph.agent import Agent
from meshflow_grpc.graph.local import LOCAL, local_runtime
from meshflow_grpc.ledger.run_diff import STEP_ENDS
from meshflow_grpc.tools.registry import Registry
from meshflow_grpc.workflow.yaml_codec import dump_workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.run import PendingApproval
    from meshflow_grpc.domain.workflow import Node
    from meshflow_grpc.governance.policy_document import AnyPolicy
    from meshflow_grpc.replay.ledger import ReplayLedger


@dataclass(frozen=True, slots=True)
class NodeInput:
    """What a step is: an agent or any node, its task, and the outputs of others by name."""

    node: Agent | Node
    task: str
    upstream: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuntimeOutcome:
    """How a step ended. ``verdict`` is committed, denied, paused, failed or cancelled; ``entry_hash`` is its place in the chain."""

    run_id: str
    verdict: str
    output: str
    entry_hash: str
    total_cost_usd: float
    total_tokens: int
    blocked_by: str | None = None
    reason: str | None = None
    pending_approval: PendingApproval | None = None


class StepRuntime:
    """Governs single steps: each call is a run of one step, recorded in the ledger under the policy."""

    def __init__(
        self,
        ledger: ReplayLedger | str | None = None,
        policy: AnyPolicy | None = None,
        *,
        registry: Registry | None = None,
    ) -> None:
        """``ledger`` is a ReplayLedger or an address (default: as MESHFLOW_LEDGER_DB says); ``policy`` may be the fields of one.

        Raises InvalidRequestError for a field of the policy that is wrong.
        """
        self._ledger = ledger if ledger is None or isinstance(ledger, str) else ledger.url
        self._policy = request_policy(policy)
        self._registry = registry

    async def run(self, node_input: NodeInput) -> RuntimeOutcome:
        """Takes the step; a refusal is an outcome. Raises InvalidWorkflowError for a node that cannot be executed."""
        given = node_input.node
        node, own = (given.node(), given.own_tools()) if isinstance(given, Agent) else (given, ())
        workflow = Workflow(node.id, (node,), entry=node.id)
        request = RunRequest(
            task=node_prompt(node_input.task, list(node_input.upstream.items())),
            policy=self._policy,
            workflow_yaml=dump_workflow(workflow),
        )
        async with local_runtime((self._registry or Registry()).with_tools(*own), self._ledger) as runtime:
            run = await runtime.commands.run.execute(LOCAL, request)
            entries = await run_entries(runtime.storage, run.tenant_id, run.run_id)
        step = next(e for e in reversed(entries) if e.kind.value == "step_paused" or e.kind in STEP_ENDS)
        return RuntimeOutcome(
            run_id=run.run_id,
            verdict=str(step.facts["verdict"]),
            output=run.output,
            entry_hash=step.hash,
            total_cost_usd=usd(run.usage.cost_nano_usd),
            total_tokens=run.usage.tokens,
            blocked_by=run.blocked_by,
            reason=run.reason,
            pending_approval=run.pending_approval,
        )
