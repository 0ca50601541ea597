"""Reservations that survive the process: in the ledger before anything is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.ledger_entry import RESERVATION_MARK, EntryDraft, EntryKind

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.usage import Usage
    from meshflow_grpc.governance.shortfall import Shortfall
    from meshflow_grpc.kernel.ports import KernelPorts
    from meshflow_grpc.kernel.state import StepState


class DurableReservations:
    """Those of one step, one entry per model call that may be billed.

    Without a session budget the step's first call needs none: that it may be under way can be told from the ledger,
    and what it may cost from its input (engine.calls_under_way).
    """

    def __init__(self, ports: KernelPorts, state: StepState) -> None:
        self._ports = ports
        self._state = state
        self._session = state.step.run.budget.session
        self._count = 0

    def implied(self) -> bool:
        """Takes the step's first call as reserved when it needs no entry of its own; says whether it does not."""
        if self._session is not None or self._count:
            return False
        self._count = 1
        return True

    async def reserve(self, charged: Usage, need: Usage) -> Shortfall | None:
        """Makes a reservation durable on top of what the step was charged, then asks the ledger whether all of the session's fit.

        Reservations before this one in the ledger count, so that no two servers both go on with what only suffices for one.
        """
        if self.implied():
            return None
        self._count += 1
        run = self._state.step.run
        draft = _draft(self._state, self._count, charged + need, self._ports.clock.now())
        (entry,) = await self._ports.recorder.append(run.run_id, (draft,))
        if self._session is None:
            return None
        use = await self._ports.sessions.session_use(run.tenant_id, self._session.session_id, up_to_seq=entry.seq)
        return self._session.overdrawn(need.cost_nano_usd, use)


def _draft(state: StepState, number: int, worst: Usage, now: str) -> EntryDraft:
    step = state.step
    run = step.run
    facts: dict[str, JsonValue] = {
        "actor": {"principal": run.principal.id, "auth": run.principal.method},
        "policy_digest": run.policy_digest,
        "step": step.number,
        "worst_case": usage_facts(worst),
    }
    step_id = f"{step.step_id}{RESERVATION_MARK}{number}"
    return EntryDraft(
        run.run_id, run.tenant_id, EntryKind.BUDGET_RESERVED, now, step.node.id, step_id, step.epoch, facts
    )


def usage_facts(usage: Usage) -> dict[str, JsonValue]:
    """A usage as facts of an entry, without its steps."""
    return {
        "carbon_ug": usage.carbon_ug,
        "cost_nano_usd": usage.cost_nano_usd,
        "tokens": {"input": usage.input_tokens, "output": usage.output_tokens},
    }
