"""Statistics of finished runs: what is folded, and that they raise bounds and never lower them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.ledger_entry import EntryKind, LedgerEntry
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.governance.learning import MILLION, Margin, WorkflowStatistics

TOKENS = st.integers(0, 10**6)


def committed(node: str = "writer", number: int = 1, **changes: Any) -> LedgerEntry:
    """An agent's committed step."""
    facts = {
        "tokens": {"input": 80, "output": 20},
        "cost_nano_usd": 1_000,
        "carbon_ug": 7,
        "model": "m",
        "attempts": 1,
        "reserved_tokens": {"input": 100, "output": 50},
        **changes,
    }
    return LedgerEntry(
        1,
        "r",
        "acme",
        number,
        EntryKind.STEP_COMMITTED,
        "t",
        node,
        f"{node}#{number}",
        1,
        facts,
        None,
        None,
        None,
        None,
        "",
        "",
        b"",
    )


@given(st.builds(Margin, st.integers(MILLION, 9 * MILLION), st.integers(MILLION, 9 * MILLION)), TOKENS, TOKENS)
def test_a_bound_is_never_lowered(margin: Margin, tokens_in: int, tokens_out: int) -> None:
    """Whatever was learned."""
    raised_in, raised_out = margin.raised(tokens_in, tokens_out)

    assert raised_in >= tokens_in
    assert raised_out >= tokens_out


@given(
    st.lists(st.tuples(st.integers(1, 10**6), TOKENS, st.integers(1, 10**6), TOKENS), min_size=1, max_size=10),
)
def test_the_raised_bound_holds_for_every_call_that_was_seen(calls: list[tuple[int, int, int, int]]) -> None:
    """With it none of them would have used more than was reserved."""
    learned = WorkflowStatistics()
    for bound_in, used_in, bound_out, used_out in calls:
        tokens, bound = {"input": used_in, "output": used_out}, {"input": bound_in, "output": bound_out}
        learned.add_run([committed(tokens=tokens, reserved_tokens=bound)])

    for bound_in, used_in, bound_out, used_out in calls:
        raised_in, raised_out = learned.margin_of("writer", "m").raised(bound_in, bound_out)
        assert raised_in >= used_in
        assert raised_out >= used_out


def test_steps_of_several_calls_say_nothing_about_the_bound_of_one() -> None:
    """Retries and tools add up; entries of runs that recorded no bound neither."""
    learned = WorkflowStatistics()
    dear = {"tokens": {"input": 900, "output": 900}}
    call = committed("writer", 9, parent="writer#1", model=None)
    learned.add_run([committed("writer", 1, **dear), call, committed("critic", 2, attempts=2, **dear)])
    learned.add_run([committed("editor", 1, reserved_tokens=None, **dear)])

    assert {learned.margin_of(node, "m") for node in ("writer", "critic", "editor", "unknown")} == {Margin()}


def test_means_are_per_run_that_came_to_the_node() -> None:
    """A loop counts each step; a branch not taken does not dilute."""
    learned = WorkflowStatistics()
    learned.add_run([committed("writer", 1), committed("writer", 2, cost_nano_usd=5_000), committed("editor", 1)])
    learned.add_run([committed("writer", 1)])
    writer, editor = learned.node("writer", "m"), learned.node("editor", "m")

    assert writer is not None
    assert editor is not None
    assert (learned.runs, writer.runs, writer.steps, editor.runs) == (2, 2, 3, 1)
    assert writer.per_run == Usage(120, 30, 3_500, 11, 2)
    assert (writer.max_cost_nano_usd, editor.per_run) == (5_000, Usage(80, 20, 1_000, 7, 1))


def test_models_are_apart_and_a_dated_name_is_its_model() -> None:
    """A provider may answer with the version behind the name that was asked for."""
    learned = WorkflowStatistics()
    learned.add_run([committed(model="big-20260101"), committed("writer", 2, model="small")])

    assert learned.node("writer", "big") is learned.node("writer", "big-20260101")
    assert learned.node("writer", "bi") is None
    assert learned.node("writer", "small") is not learned.node("writer", "big")


def test_steps_without_a_model_are_not_learned_from() -> None:
    """Tools and functions cost nothing that could be estimated."""
    learned = WorkflowStatistics()
    learned.add_run([committed(model="")])

    assert (learned.runs, learned.nodes) == (1, {})
