"""Σreserved + Σspent never exceeds a budget, whatever is reserved and settled in whatever order."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.governance.budget import Budget, BudgetLimits

AMOUNT = st.integers(min_value=0, max_value=1_000)
NEED = st.builds(Usage, AMOUNT, AMOUNT, AMOUNT, AMOUNT, st.integers(0, 2))
LIMITS = st.builds(BudgetLimits, AMOUNT, AMOUNT, st.integers(0, 20), st.none() | AMOUNT)


def within(budget: Budget, limits: BudgetLimits) -> bool:
    """Whether what is used stays inside every limit."""
    used = budget.spent + budget.reserved
    carbon = limits.carbon_ug is None or used.carbon_ug <= limits.carbon_ug
    return (
        used.cost_nano_usd <= limits.cost_nano_usd
        and used.tokens <= limits.tokens
        and used.steps <= limits.steps
        and carbon
    )


@given(LIMITS, st.lists(st.tuples(NEED, st.fractions(0, 1), st.booleans()), max_size=40))
def test_no_interleaving_of_reservations_and_settlements_overspends(
    limits: BudgetLimits, moves: list[tuple[Usage, float, bool]]
) -> None:
    """Each move reserves; some settle the oldest open reservation for a part of it."""
    budget, open_reservations = Budget(limits), []
    for need, part, settles in moves:
        if budget.reserve(need) is None:
            open_reservations.append((need, part))
        assert within(budget, limits)
        if settles and open_reservations:
            reserved, share = open_reservations.pop(0)
            actual = Usage(*(int(getattr(reserved, name) * share) for name in Usage.__slots__))
            budget.settle(reserved, actual)
            assert within(budget, limits)


@given(LIMITS, NEED)
def test_a_refusal_reserves_nothing_and_names_the_field(limits: BudgetLimits, need: Usage) -> None:
    """The shortfall says which policy field to raise."""
    budget = Budget(limits)
    short = budget.reserve(need)

    assert (short is None) == (budget.reserved == need or need == Usage())
    if short is not None:
        assert budget.reserved == Usage()
        assert short.field in {"max_steps", "budget_usd", "budget_tokens", "carbon_budget_g"}


def test_a_settled_reservation_gives_back_what_was_not_used() -> None:
    """What a step did not use is free for the next one."""
    budget = Budget(BudgetLimits(100, 100, 10, None))
    need = Usage(50, 50, 100, 0, 1)
    assert budget.reserve(need) is None
    assert budget.reserve(Usage(cost_nano_usd=1)) is not None
    budget.settle(need, Usage(10, 10, 20, 0, 1))

    assert budget.reserve(Usage(0, 0, 80, 0, 1)) is None
    assert budget.reserve(Usage(0, 0, 1, 0, 0)) is not None


def test_all_shortfalls_are_told_at_once() -> None:
    """A pre-flight check lists every limit that is too small."""
    short = list(Budget(BudgetLimits(1, 1, 0, 1)).shortfalls(Usage(2, 2, 2, 2, 1)))

    assert [s.field for s in short] == ["max_steps", "budget_usd", "budget_tokens", "carbon_budget_g"]


@given(LIMITS, NEED, NEED)
def test_the_remedy_is_the_least_number_that_is_enough(limits: BudgetLimits, used: Usage, need: Usage) -> None:
    """With the number told the need fits; with one unit less it does not."""
    budget = Budget(limits, used)
    scale = {"max_steps": 1, "budget_usd": 10**9, "budget_tokens": 1, "carbon_budget_g": 10**6}
    column = dict(zip(scale, ("steps", "cost_nano_usd", "tokens", "carbon_ug"), strict=True))
    for short in budget.shortfalls(need):
        enough = Decimal(str(short.enough)) * scale[short.field]
        for value, fits in ((int(enough), True), (int(enough) - 1, False)):
            raised = dataclasses.replace(limits, **{column[short.field]: value})
            still = {s.field for s in Budget(raised, used).shortfalls(need)}
            assert (short.field not in still) is fits
        assert short.remedy == f"raise policy.{short.field} to at least {short.enough}"


def test_a_limit_no_policy_can_hold_is_not_advised() -> None:
    """Beyond the highest value of a field the advice is to ask for less."""
    (short,) = Budget(BudgetLimits(10**18, 10, 5, None)).shortfalls(Usage(input_tokens=2**31))

    assert short.remedy == "ask for less work: policy.budget_tokens cannot be raised that far"
