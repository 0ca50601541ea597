"""Budgets reserved before spend and settled after: the sum of what is reserved and spent never exceeds the budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshflow_grpc.domain.usage import MICRO_PER_GRAM, NANO_PER_USD, ZERO_USAGE, Usage, nano_usd
from meshflow_grpc.governance.policy_fields import MAX_GRAMS, MAX_INT, MAX_STEPS, MAX_USD
from meshflow_grpc.governance.shortfall import Shortfall, grams_text, up_to, usd_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshflow_grpc.governance.session_budget import SessionShare


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """Most a run may use: nano-USD, tokens, steps, and micrograms of CO2 equivalent (None = carbon is not limited)."""

    cost_nano_usd: int
    tokens: int
    steps: int
    carbon_ug: int | None

    @classmethod
    def of(cls, budget_usd: float, budget_tokens: int, max_steps: int, carbon_budget_g: float | None) -> BudgetLimits:
        """Limits from a policy's fields; carbon in grams."""
        carbon = None if carbon_budget_g is None else round(carbon_budget_g * MICRO_PER_GRAM)
        return cls(nano_usd(budget_usd), budget_tokens, max_steps, carbon)


class Budget:
    """Budget of one run, and its share of its session's.

    Synchronous and single-threaded: a reservation is atomic however many branches run.
    """

    __slots__ = ("_limits", "_reserved", "_spent", "session")

    def __init__(self, limits: BudgetLimits, spent: Usage = ZERO_USAGE, session: SessionShare | None = None) -> None:
        self._limits = limits
        self.session = session
        self._spent = spent
        self._reserved = ZERO_USAGE

    @property
    def spent(self) -> Usage:
        """What was settled."""
        return self._spent

    @property
    def reserved(self) -> Usage:
        """What is reserved and not yet settled."""
        return self._reserved

    def part(self, fraction: float) -> Usage:
        """A part of what is neither spent nor reserved, tokens as output tokens, and one step; nothing is reserved by that."""
        limits, used = self._limits, self._spent + self._reserved
        cost = limits.cost_nano_usd - used.cost_nano_usd
        if self.session is not None:
            cost = min(cost, self.session.left_nano_usd)
        carbon = 0 if limits.carbon_ug is None else limits.carbon_ug - used.carbon_ug
        tokens, cost, carbon = (int(max(0, left) * fraction) for left in (limits.tokens - used.tokens, cost, carbon))
        return Usage(output_tokens=tokens, cost_nano_usd=cost, carbon_ug=carbon, steps=1)

    def reserve(self, worst_case: Usage) -> Shortfall | None:
        """Reserves the worst case of a step, or says which limit forbids it and reserves nothing."""
        short = None if self._fits(worst_case) else next(self.shortfalls(worst_case), None)
        if short is None:
            # A step alone holds all that is reserved, and gives it back whole.
            self._reserved = worst_case if self._reserved is ZERO_USAGE else self._reserved + worst_case
            if self.session is not None:
                self.session.reserve(worst_case.cost_nano_usd)
        return short

    def settle(self, reservation: Usage, actual: Usage) -> None:
        """Turns a reservation into what was really used."""
        left = ZERO_USAGE if self._reserved is reservation else minus(self._reserved, reservation)
        self._reserved = left if any(left) else ZERO_USAGE
        self._spent += actual
        if self.session is not None:
            self.session.settle(reservation.cost_nano_usd, actual.cost_nano_usd)

    def _fits(self, need: Usage) -> bool:
        """Whether no limit of the run is in question; says no when a session has one too, so that it is asked."""
        limits, used = self._limits, self._spent if self._reserved is ZERO_USAGE else self._spent + self._reserved
        tokens_in, tokens_out, cost, carbon, steps = used
        more_in, more_out, more_cost, more_carbon, more_steps = need
        return (
            steps + more_steps <= limits.steps
            and cost + more_cost <= limits.cost_nano_usd
            and tokens_in + tokens_out + more_in + more_out <= limits.tokens
            and (limits.carbon_ug is None or carbon + more_carbon <= limits.carbon_ug)
            and self.session is None
        )

    def shortfalls(self, need: Usage) -> Iterator[Shortfall]:
        """Every limit that the need would exceed on top of what is spent and reserved; reserves nothing."""
        limits, used = self._limits, self._spent + self._reserved
        total = used + need
        if total.steps > limits.steps:
            more = f"{need.steps} more step{'s' * (need.steps > 1)}"
            left = str(limits.steps - used.steps)
            yield Shortfall("max_steps", str(limits.steps), left, more, up_to(MAX_STEPS, total.steps))
        if total.cost_nano_usd > limits.cost_nano_usd:
            left = usd_text(limits.cost_nano_usd - used.cost_nano_usd)
            enough = up_to(nano_usd(MAX_USD), total.cost_nano_usd, NANO_PER_USD)
            yield Shortfall("budget_usd", usd_text(limits.cost_nano_usd), left, usd_text(need.cost_nano_usd), enough)
        if total.tokens > limits.tokens:
            left, tokens = str(limits.tokens - used.tokens), f"{need.tokens} tokens"
            yield Shortfall("budget_tokens", str(limits.tokens), left, tokens, up_to(MAX_INT, total.tokens))
        if limits.carbon_ug is not None and total.carbon_ug > limits.carbon_ug:
            left = grams_text(limits.carbon_ug - used.carbon_ug)
            enough = up_to(round(MAX_GRAMS * MICRO_PER_GRAM), total.carbon_ug, MICRO_PER_GRAM)
            yield Shortfall("carbon_budget_g", grams_text(limits.carbon_ug), left, grams_text(need.carbon_ug), enough)
        in_session = None if self.session is None else self.session.shortfall(need.cost_nano_usd)
        if in_session is not None:
            yield in_session


def minus(a: Usage, b: Usage) -> Usage:
    """Field-wise difference."""
    return a if b is ZERO_USAGE else a - b
