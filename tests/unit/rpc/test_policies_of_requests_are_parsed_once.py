"""A node that hands on many steps sends the same policy with each; it is read once, and means the same each time."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import cast

import pytest

from meshflow_grpc._gen.meshflow.v1 import policy_pb2, run_pb2
from meshflow_grpc.domain.errors import InvalidRequestError
from meshflow_grpc.engine.admission import fingerprint
from meshflow_grpc.rpc.convert import request as converted
from meshflow_grpc.rpc.convert.request import MAX_KEPT_BYTES, request_from_proto

RULE = policy_pb2.PolicyRule(name="no_tools", effect="deny", expression="risk > internal")


def _request(policy: policy_pb2.Policy, task: str = "t") -> run_pb2.RunRequest:
    return run_pb2.RunRequest(task=task, policy=policy)


def test_requests_with_one_policy_share_it() -> None:
    """However many there are, and whatever else is in them; nobody may change what they share."""
    first, second = (
        request_from_proto(_request(policy_pb2.Policy(budget_usd=0.37, rules=[RULE]), task)) for task in "ab"
    )

    assert first.policy is second.policy
    with pytest.raises(TypeError):
        cast("MutableMapping[str, object]", first.policy)["budget_usd"] = 1.0


def test_policies_that_differ_in_anything_are_told_apart() -> None:
    """A field that is set to its default is not one that is absent."""
    absent = request_from_proto(_request(policy_pb2.Policy(budget_usd=1.0)))
    present = request_from_proto(_request(policy_pb2.Policy(budget_usd=1.0, scrub_pii=False)))

    assert "scrub_pii" not in absent.policy
    assert present.policy["scrub_pii"] is False


def test_a_request_has_the_fingerprint_it_always_had() -> None:
    """Asked again by a server of another version, it is the same request: that is what its idempotency key is held to."""
    message = _request(policy_pb2.Policy(budget_usd=1.5, circuit_breaker=policy_pb2.CircuitBreaker(max_retries=1)))

    assert fingerprint(request_from_proto(message)) == (
        "0a22896928df596d49e4a775ca16adc3f44554579a4afb9852d975298b720b7a"
    )


def test_a_bad_policy_is_refused_each_time_with_all_else_that_is_wrong() -> None:
    """Nothing is kept of it."""
    message = run_pb2.RunRequest(policy=policy_pb2.Policy(budget_usd=-1.0))
    for _ in range(2):
        with pytest.raises(InvalidRequestError) as refused:
            request_from_proto(message)
        assert [violation.field for violation in refused.value.violations] == ["policy.budget_usd", "task"]


def test_a_long_policy_is_not_kept() -> None:
    """What callers send does not fill the server's memory."""
    rules = [policy_pb2.PolicyRule(name=f"r{n}", effect="deny", expression="risk > internal" * 20) for n in range(20)]
    policy = policy_pb2.Policy(rules=rules)
    assert policy.ByteSize() > MAX_KEPT_BYTES
    kept = converted._kept.cache_info().currsize

    assert len(cast("tuple[object, ...]", request_from_proto(_request(policy)).policy["rules"])) == len(rules)
    assert converted._kept.cache_info().currsize == kept
