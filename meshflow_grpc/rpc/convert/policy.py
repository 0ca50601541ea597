"""A policy's JSON form as its protobuf message."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from meshflow_grpc._gen.meshflow.v1 import policy_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue

MAX_CACHED = 256
_SCALARS = (
    "mode",
    "budget_usd",
    "budget_tokens",
    "max_steps",
    "timeout_s",
    "step_timeout_s",
    "enable_guardian",
    "enable_uncertainty",
    "enable_environmental",
    "carbon_budget_g",
    "enable_cross_run_learning",
    "immutable_audit",
    "scrub_pii",
    "max_output_chars",
    "session_budget_usd",
)


class PolicyMessages:
    """Policies as messages; each digest is converted once, the oldest is forgotten beyond 256."""

    def __init__(self) -> None:
        self._by_digest: dict[str, policy_pb2.Policy] = {}

    def of(self, digest: str, policy: Mapping[str, JsonValue]) -> policy_pb2.Policy:
        """The message of the policy with this digest; not to be changed."""
        found = self._by_digest.get(digest)
        if found is None:
            if len(self._by_digest) >= MAX_CACHED:
                del self._by_digest[next(iter(self._by_digest))]
            found = self._by_digest[digest] = policy_to_proto(policy)
        return found


def policy_to_proto(policy: Mapping[str, JsonValue]) -> policy_pb2.Policy:
    """Every field is set, so that the answer shows defaults too; fields younger than the run's policy stay absent."""
    values = {name: policy.get(name) for name in _SCALARS}
    human = dict(cast("Mapping[str, JsonValue]", policy["human_in_loop"]))
    allowed = policy["allowed_tools"]
    return policy_pb2.Policy(
        **values,  # type: ignore[arg-type]  # the JSON form has the field's types
        compliance=",".join(cast("list[str]", policy["compliance"])),
        denied_data=",".join(cast("list[str]", policy.get("denied_data", []))),
        circuit_breaker=policy_pb2.CircuitBreaker(**cast("dict[str, int]", policy["circuit_breaker"])),
        human_in_loop=policy_pb2.HumanInLoop(**human),  # type: ignore[arg-type]  # same
        allowed_tools=None if allowed is None else policy_pb2.ToolList(names=cast("list[str]", allowed)),
        denied_tools=policy_pb2.ToolList(names=cast("list[str]", policy["denied_tools"])),
        rules=[policy_pb2.PolicyRule(**rule) for rule in cast("list[dict[str, str]]", policy["rules"])],
    )
