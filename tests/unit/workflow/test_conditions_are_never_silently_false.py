"""CEL conditions: compiled and type-checked at load, an error when a run cannot decide them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from meshflow_grpc.domain.workflow import Edge, Node, Workflow
from meshflow_grpc.workflow.condition import (
    ConditionError,
    ConditionSyntaxError,
    EdgeConditions,
    compile_condition,
    condition_variables,
    evaluate_condition,
)

if TYPE_CHECKING:
    from meshflow_grpc.domain.json_value import JsonValue


def _value(expression: str, structured: dict[str, Any] | None = None, **given: JsonValue) -> bool:
    variables = {**condition_variables(state={}, output="", structured=structured), **given}
    return evaluate_condition(Edge("gate", "writer", expression), compile_condition(expression), variables)


@pytest.mark.parametrize(
    ("expression", "structured", "expected"),
    [
        ("quality_score < 0.8", {"quality_score": 0.5}, True),
        ("quality_score < 0.8", {"quality_score": 1}, False),
        ("quality_score >= 1", {"quality_score": 1.0}, True),
        ("verdict == 'ok' && issues.size() == 0", {"verdict": "ok", "issues": []}, True),
        ("issues.exists(i, i.severity > 2)", {"issues": [{"severity": 3}]}, True),
        ("approved", {"approved": True}, True),
        ("reason == null", {"reason": None}, True),
        ("verdict in ['a', 'b']", {"verdict": "b"}, True),
    ],
)
def test_structured_output_decides(expression: str, structured: dict[str, Any], expected: bool) -> None:
    """The top-level keys of the source's structured output are variables; whole and decimal numbers compare."""
    assert _value(expression, structured) is expected


def test_built_in_names() -> None:
    """state, output and iteration are always there, and win over structured keys of the same name."""
    assert _value(
        "state.topic == 'x' && output.contains('yes') && iteration == 2",
        state={"topic": "x"},
        output="yes!",
        iteration=2,
    )
    assert condition_variables(state={}, output="real", structured={"output": "other"})["output"] == "real"
    assert not _value("has(state.missing)")


@pytest.mark.parametrize(
    "expression", ["score < 0.8", "score < 0.8 || true", "false && score > 1", "iteration == 1 || score > 1"]
)
def test_a_missing_variable_is_an_error_at_its_edge(expression: str) -> None:
    """Edge and variable are named, even when the value would not have mattered."""
    with pytest.raises(ConditionError) as caught:
        _value(expression, {"scor": 0.1})
    assert caught.value.edge == "gate -> writer"
    assert caught.value.variable == "score"
    assert caught.value.metadata == {"edge": "gate -> writer", "variable": "score"}


@pytest.mark.parametrize(
    ("expression", "structured"),
    [
        ("score < 0.8", {"score": "high"}),
        ("state.missing == 1", {}),
        ("score", {"score": "true"}),
        ("score", {"score": 1}),
        ("score == 1", {"score": 2**70}),
        ("1 / score == 1", {"score": 0}),
        ("items[3] == 1", {"items": [1]}),
    ],
)
def test_what_has_no_bool_value_is_an_error(expression: str, structured: dict[str, Any]) -> None:
    """Wrong types, missing keys, division by zero and values that are not bool raise; none is taken for false."""
    with pytest.raises(ConditionError, match="gate -> writer"):
        _value(expression, structured)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("quality <", "Syntax error"),
        ("1 + 'a' == 2", "no matching overload"),
        ("output > 3", "no matching overload"),
        ("iteration && true", "no matching overload"),
        ("output", "gives string"),
        ("iteration + 1", "gives int"),
        ("nope(output)", "undeclared reference to 'nope'"),
        ("(" * 300 + "true" + ")" * 300, "recursion"),
        ("__import__('os').system('true') == 0", "undeclared"),
    ],
)
def test_a_bad_expression_is_refused_when_compiled(expression: str, message: str) -> None:
    """Syntax, types of built-in names and literals, unknown functions and results that cannot be bool are found at load."""
    with pytest.raises(ConditionSyntaxError, match=message):
        compile_condition(expression)


def test_words_of_other_languages_are_answered_with_those_of_cel() -> None:
    """As people write conditions first."""
    with pytest.raises(ConditionSyntaxError, match="; write && for and, || for or, ! for not".replace("|", r"\|")):
        compile_condition("score > 1 and score < 3")


def test_an_output_schema_gives_types_to_names() -> None:
    """With a schema, comparing text with a number and naming no property are errors at load."""
    schema: dict[str, Any] = {"properties": {"verdict": {"type": "string"}, "score": {"type": "number"}}}
    assert compile_condition("verdict == 'ok' && score < 1 && score < 0.5 && extra", schema).variables
    with pytest.raises(ConditionSyntaxError, match="no matching overload"):
        compile_condition("verdict < 3", schema)
    with pytest.raises(ConditionSyntaxError, match="did you mean 'score'"):
        compile_condition("scor < 3", {**schema, "additionalProperties": False})


def test_values_need_not_be_dicts_and_lists() -> None:
    """Read-only mappings and tuples, as frozen state holds them, are evaluated alike."""
    state = MappingProxyType({"sources": ({"ok": True},)})
    assert _value("state.sources[0].ok && tags[0] == 'a'", {"tags": ("a",)}, state=state)


def test_a_node_answers_for_all_its_conditional_edges() -> None:
    """The truths are by target; unconditional edges have none; a node without conditions has an empty answer."""
    workflow = Workflow(
        "w",
        (Node("a"), Node("b"), Node("c")),
        (Edge("a", "b", "score < 0.8"), Edge("a", "c", "score >= 0.8"), Edge("b", "c")),
        entry="a",
    )
    conditions = EdgeConditions.of(workflow)
    variables = condition_variables(state={}, output="", structured={"score": 0.9})
    assert conditions.evaluate("a", variables) == {"b": False, "c": True}
    assert conditions.evaluate("b", variables) == {}
