"""Σreserved + Σspent of a session never exceeds a budget its runs share, whatever they do in whatever order."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.usage import SessionUse, Usage
from meshflow_grpc.governance.budget import Budget, BudgetLimits
from meshflow_grpc.governance.session_budget import SessionAccount

AMOUNT = st.integers(min_value=0, max_value=1_000)
PLENTY = BudgetLimits(10**9, 10**9, 10**6, None)
RUNS = 4
MOVES = st.lists(
    st.tuples(st.integers(0, RUNS - 1), AMOUNT, st.fractions(0, 1), st.sampled_from(["reserve", "settle", "break"])),
    max_size=60,
)


@given(limit=AMOUNT, before=AMOUNT, moves=MOVES)
def test_no_interleaving_of_runs_overspends(limit: int, before: int, moves: list[tuple[int, int, float, str]]) -> None:
    """Runs reserve, settle for a part, and break off and come back, charged all that they had reserved."""
    account = SessionAccount(before)
    budgets = [Budget(PLENTY, Usage(), account.join(f"r{n}", "s", limit)) for n in range(RUNS)]
    still_open: list[list[Usage]] = [[] for _ in range(RUNS)]
    truly_spent = before
    for run, amount, share, move in moves:
        need = Usage(cost_nano_usd=amount)
        if move == "reserve":
            if budgets[run].reserve(need) is None:
                still_open[run].append(need)
        elif move == "settle" and still_open[run]:
            reserved = still_open[run].pop(0)
            actual = Usage(cost_nano_usd=int(reserved.cost_nano_usd * share))
            budgets[run].settle(reserved, actual)
            truly_spent += actual.cost_nano_usd
        elif move == "break":
            lost = sum(u.cost_nano_usd for u in still_open[run])
            budgets[run] = Budget(PLENTY, Usage(), account.join(f"r{run}", "s", limit, lost))
            still_open[run].clear()
            truly_spent += lost
        outstanding = sum(u.cost_nano_usd for each in still_open for u in each)
        assert (account.spent, account.reserved) == (truly_spent, outstanding)
        assert truly_spent + outstanding <= max(limit, before)


@given(limit=AMOUNT, before=AMOUNT, need=AMOUNT)
def test_the_remedy_is_the_least_number_that_is_enough(limit: int, before: int, need: int) -> None:
    """With it the need fits; with a nano-dollar less it does not."""
    short = SessionAccount(before).join("r", "s", limit).shortfall(need)

    assert (short is None) == (before + need <= limit or need == 0)
    if short is not None:
        enough = int(Decimal(str(short.enough)) * 10**9)
        assert SessionAccount(before).join("r", "s", enough).shortfall(need) is None
        assert SessionAccount(before).join("r", "s", enough - 1).shortfall(need) is not None
        assert short.remedy == f"raise policy.session_budget_usd to at least {short.enough}"


def test_each_run_is_held_to_its_own_number() -> None:
    """A stricter run is refused what a more generous one in the same session may still reserve."""
    account = SessionAccount(80)
    strict, generous = account.join("a", "s", 100), account.join("b", "s", 200)

    assert strict.shortfall(30) is not None
    assert generous.shortfall(30) is None


def test_what_others_spent_is_learned_from_the_ledger_and_never_unlearned() -> None:
    """A reading that is older than what is known here changes nothing."""
    account = SessionAccount(10)
    share = account.join("a", "s", 100)
    share.reserve(20)
    share.overdrawn(20, SessionUse(40, 20))
    share.overdrawn(20, SessionUse(10, 0))

    assert (account.spent, account.reserved) == (40, 20)


def test_the_last_writer_sees_that_it_is_too_much() -> None:
    """Two servers that reserved at once: by the ledger both together are too much, so neither spends."""
    share = SessionAccount(0).join("a", "s", 100)
    share.reserve(60)

    assert share.overdrawn(60, SessionUse(0, 60)) is None
    assert str(share.overdrawn(60, SessionUse(0, 120))) == (
        "needs up to $0.00000006, but only $0.00000004 of session_budget_usd=$0.0000001 is left"
    )


def test_a_session_is_forgotten_when_its_last_run_leaves() -> None:
    """Only then is it read from the ledger again."""
    account = SessionAccount(0)
    account.join("a", "s", 1)
    account.join("b", "s", 1)

    assert [account.leave("a"), account.leave("a"), account.leave("b")] == [False, False, True]
