"""What the steps of a run share, with its part in what runs share among each other: sessions' budgets and what was learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import ZERO_USAGE, Usage
from meshflow_grpc.governance.budget import Budget, BudgetLimits
from meshflow_grpc.kernel.state import RunContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.conversation import Turn
    from meshflow_grpc.domain.policy import Policy
    from meshflow_grpc.domain.run import Principal, Run
    from meshflow_grpc.engine.conversations import Conversations
    from meshflow_grpc.engine.learning import Learning
    from meshflow_grpc.engine.sessions import Sessions
    from meshflow_grpc.governance.learning import WorkflowStatistics
    from meshflow_grpc.governance.session_budget import SessionShare
    from meshflow_grpc.ports.clock import Clock


class RunContexts:
    """Makes one per life of a run; tell it when the run ended or waits for a human."""

    def __init__(self, sessions: Sessions, conversations: Conversations, learning: Learning, clock: Clock) -> None:
        self._sessions = sessions
        self._conversations = conversations
        self._learning = learning
        self._clock = clock

    async def make(
        self,
        run: Run,
        principal: Principal,
        policy: Policy,
        agents: Mapping[str, str],
        *,
        left_s: float,
        reviewed: bool,
        approved: bool,
        spent: Usage = ZERO_USAGE,
        lost: Usage = ZERO_USAGE,
        told: tuple[Turn, ...] | None = None,
    ) -> RunContext:
        """``spent`` is what earlier lives of the run used, ``lost`` what they may have: both count. ``told`` is what they were told of
        the session; None reads it anew.

        ``reviewed`` says that no way through the workflow ends without a person, ``approved`` that a second person stands for
        it, or none has to. Raises LedgerUnavailableError.
        """
        if told is None:
            told = await self._conversations.of(run.tenant_id, run.session_id, policy)
        learned = await self.learned(run, policy)
        share = await self._sessions.join(run, policy, lost_nano_usd=lost.cost_nano_usd)
        return RunContext(
            run_id=run.run_id,
            tenant_id=run.tenant_id,
            principal=principal,
            policy=policy,
            policy_digest=run.policy_digest,
            agents=agents,
            budget=budget_of(policy, spent + lost, share),
            deadline=self._clock.monotonic() + left_s,
            labels=run.labels,
            learned=learned,
            reviewed=reviewed,
            approved=approved,
            conversation=told,
        )

    async def learned(self, run: Run, policy: Policy) -> WorkflowStatistics | None:
        """What earlier runs of the workflow taught; None when the policy does not ask for it."""
        return await self._learning.of(run.tenant_id, run.workflow) if policy.enable_cross_run_learning else None

    def left(self, run: Run) -> None:
        """The run takes no more steps for now."""
        self._sessions.leave(run)
        if run.status.ended:
            self._learning.ended(run)


def budget_of(policy: Policy, spent: Usage, session: SessionShare | None) -> Budget:
    """The budget a policy gives a run, less what it spent already."""
    carbon = policy.carbon_budget_g if policy.enable_environmental else None
    limits = BudgetLimits.of(policy.budget_usd, policy.budget_tokens, policy.max_steps, carbon)
    return Budget(limits, spent, session)
