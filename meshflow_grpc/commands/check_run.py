"""CheckRun: what a run would be held to; nothing is executed or recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.check import RunCheck
from meshflow_grpc.engine.prompt import with_conversation

if TYPE_CHECKING:
    from meshflow_grpc.domain.run import Principal, RunRequest
    from meshflow_grpc.engine.conversations import Conversations
    from meshflow_grpc.engine.engine import Engine
    from meshflow_grpc.engine.learning import Learning
    from meshflow_grpc.engine.preflight import Preflight
    from meshflow_grpc.ports.storage import Storage


class CheckRunCommand:
    """Pre-flight of a request."""

    def __init__(
        self,
        engine: Engine,
        preflight: Preflight,
        storage: Storage,
        learning: Learning,
        conversations: Conversations,
    ) -> None:
        self._conversations = conversations
        self._learning = learning
        self._storage = storage
        self._engine = engine
        self._preflight = preflight

    async def execute(self, principal: Principal, request: RunRequest) -> RunCheck:
        """Returns every violation at once; a request that is not valid raises as Run would."""
        admitted = await self._engine.resolve(principal, request)
        session_id = admitted.request.session_id
        limited = session_id is not None and admitted.policy.policy.session_budget_usd is not None
        use = await self._storage.session_use(principal.tenant_id, session_id) if limited and session_id else None
        policy, workflow = admitted.policy.policy, admitted.workflow.compiled.workflow.name
        told = await self._conversations.of(principal.tenant_id, session_id, policy)
        admitted = admitted._replace(task=with_conversation(admitted.task, told))
        learned = await self._learning.of(principal.tenant_id, workflow) if policy.enable_cross_run_learning else None
        violations, estimate = self._preflight.check(admitted, use, learned)
        return RunCheck(
            admissible=not violations,
            workflow=workflow,
            policy=admitted.policy.json,
            policy_digest=admitted.policy.digest,
            violations=violations,
            estimate=estimate,
            approval_nodes=self._preflight.approval_nodes(admitted),
            expectation=self._preflight.expectation(admitted, learned) if learned is not None else None,
        )
