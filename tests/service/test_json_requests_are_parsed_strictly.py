"""The JSON face accepts what the contract says, in the ways proto3 JSON is written, and names everything else."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given, settings
from hypothesis import strategies as st

from meshflow_grpc.domain.errors import InvalidRequestError, MeshflowError
from meshflow_grpc.domain.policy import PolicyMode
from meshflow_grpc.domain.run import EventView, OnDisconnect, RunRequest
from meshflow_grpc.engine.fork import ForkPoint
from meshflow_grpc.rpc.convert.approval import decision_from_json
from meshflow_grpc.rpc.convert.json_request import (
    erasure_from_json,
    fork_from_json,
    request_from_json,
    text_from_json,
)


def parse(body: dict[str, Any]) -> RunRequest:
    """As Envoy hands a body over."""
    struct = Struct()
    struct.update(body)
    return request_from_json(struct)


def test_a_full_request_is_understood() -> None:
    """Every field."""
    request = parse(
        {
            "task": "x",
            "input": {"n": 3, "deep": [1, {"a": None}], "half": 0.5},
            "policy": {"mode": "DEV", "budget_usd": 2, "circuit_breaker": {"max_retries": 1}},
            "workflow": "default",
            "session_id": "s",
            "request_id": "r",
            "on_disconnect": "continue",
            "event_view": "full",
            "labels": {"a": "b"},
        }
    )

    assert request.input == {"n": 3, "deep": [1, {"a": None}], "half": 0.5}
    assert request.policy == {"mode": PolicyMode.DEV, "budget_usd": 2.0, "circuit_breaker": {"max_retries": 1}}
    assert (request.on_disconnect, request.event_view) == (OnDisconnect.CONTINUE, EventView.FULL)


def test_lower_camel_case_is_the_same_key() -> None:
    """As proto3 JSON allows; inside input nothing is renamed."""
    request = parse(
        {"input": {"camelCase": 1}, "requestId": "r", "policy": {"budgetUsd": 1, "circuitBreaker": {"maxRetries": 0}}}
    )

    assert request.input == {"camelCase": 1}
    assert request.request_id == "r"
    assert request.policy == {"budget_usd": 1.0, "circuit_breaker": {"max_retries": 0}}


def test_null_is_absent() -> None:
    """A null field is not there."""
    assert parse({"task": "x", "policy": None, "session_id": None}) == RunRequest(task="x")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"task": 5}, "task"),
        ({"task": True}, "task"),
        ({"task": {"a": 1}}, "task"),
        ({"input": "x"}, "input"),
        ({"input": [1]}, "input"),
        ({"task": "x", "policy": "strict"}, "policy"),
        ({"task": "x", "policy": {"budget_usd": "2.0"}}, "policy.budget_usd"),
        ({"task": "x", "policy": {"enable_guardian": 1}}, "policy.enable_guardian"),
        ({"task": "x", "policy": {"circuit_breaker": {"max_retry": 1}}}, "policy.circuit_breaker.max_retry"),
        ({"task": "x", "labels": {"a": 1}}, "labels"),
        ({"task": "x", "requestId": "a", "request_id": "b"}, "request_id"),
        ({}, "task"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str) -> None:
    """By its path."""
    with pytest.raises(InvalidRequestError) as refused:
        parse(body)

    assert field in [v.field for v in refused.value.violations]


def test_deep_nesting_is_refused_and_does_not_crash() -> None:
    """Beyond 100 levels."""
    deep: dict[str, Any] = {}
    for _ in range(90):
        deep = {"a": deep}
    parse({"input": deep})
    for _ in range(20):
        deep = {"a": deep}
    with pytest.raises(InvalidRequestError, match="nested deeper"):
        parse({"input": deep})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from(["task", "input", "policy", "labels", "mode", "request_id", "budget_usd"]) | st.text(max_size=8)


@settings(max_examples=300)
@given(st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON, max_size=4), max_size=5))
def test_any_body_is_a_request_or_a_typed_refusal(body: dict[str, Any]) -> None:
    """Never another exception."""
    try:
        request = parse(body)
    except MeshflowError as error:
        assert error.violations
    else:
        assert request.task is not None or request.input is not None


def test_the_body_of_a_cancellation_is_strict_too() -> None:
    """Only a reason, and only text."""
    body = Struct()
    assert text_from_json(body, "reason") == ""
    body.update({"reason": "enough"})
    assert text_from_json(body, "reason") == "enough"
    body.update({"reasn": 1})
    with pytest.raises(InvalidRequestError, match="did you mean 'reason'"):
        text_from_json(body, "reason")


def test_null_is_absent_in_the_small_bodies_too() -> None:
    """A field that is required is asked for by name, null or not there."""
    body = Struct()
    body.update({"reason": None})
    assert text_from_json(body, "reason") == ""
    with pytest.raises(InvalidRequestError, match="reason: is required"):
        text_from_json(body, "reason", required=True)
    body.update({"reasn": None})
    with pytest.raises(InvalidRequestError, match="did you mean 'reason'"):
        text_from_json(body, "reason")

    body = Struct()
    body.update({"basis": "gdpr art. 17", "mode": None, "includeForks": None})
    assert erasure_from_json(body) == {"basis": "gdpr art. 17"}
    body = Struct()
    body.update({"before_node": "writer", "before_sequence": None, "request_id": None})
    assert fork_from_json(body) == (ForkPoint(0, "writer"), "")
    body = Struct()
    body.update({"decision": "approve", "comment": None, "expectedActionDigest": None})
    assert decision_from_json(body) == {"decision": "approve"}
