"""The policy a run is held to: request over workflow over server default."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.policy import (
    CircuitBreakerConfig,
    HumanInLoopConfig,
    Policy,
    PolicyMode,
    PolicyRule,
    RiskTier,
    RuleEffect,
    TimeoutAction,
)
from meshflow_grpc.governance.enforcement import require_enforced
from meshflow_grpc.governance.floors import NO_FLOORS, ServerFloors, explicit_paths, raised
from meshflow_grpc.governance.policy_rules import check_rules

if TYPE_CHECKING:
    from meshflow_grpc.domain.errors import FieldViolation
    from meshflow_grpc.domain.json_value import JsonValue

MODE_DEFAULTS: dict[PolicyMode, dict[str, object]] = {PolicyMode.DEV: {"enable_guardian": False}}


@dataclasses.dataclass(frozen=True, slots=True)
class EffectivePolicy:
    """A policy, its JSON form, also as text, and the SHA-256 (hex) of its canonical form.

    ``below_floor`` names what was asked for below a floor; the policy itself is raised.
    """

    policy: Policy
    json: Mapping[str, JsonValue]
    text: str
    digest: str
    below_floor: tuple[FieldViolation, ...] = ()


def resolve(
    default: Policy,
    workflow_fields: Mapping[str, object],
    request_fields: Mapping[str, object],
    floors: ServerFloors = NO_FLOORS,
) -> EffectivePolicy:
    """Merges the layers and raises the result by the floors; a mode brings its own defaults, which explicit fields override.

    Raises InvalidRequestError for unknown fields and rules that are not CEL, and PolicyFieldNotEnforcedError for fields this
    server does not enforce.
    """
    require_enforced(workflow_fields, path="workflow.policy")
    require_enforced(request_fields)
    check_rules(workflow_fields, path="workflow.policy")
    check_rules(request_fields)
    mode = request_fields.get("mode", workflow_fields.get("mode", default.mode))
    merged = default
    for layer in (MODE_DEFAULTS.get(cast("PolicyMode", mode), {}), workflow_fields, request_fields):
        merged = _overlay(merged, layer)
    explicit = explicit_paths((("workflow.policy", workflow_fields), ("policy", request_fields)))
    policy, below = raised(merged, explicit, floors)
    return dataclasses.replace(of_policy(policy), below_floor=below)


def of_policy(policy: Policy) -> EffectivePolicy:
    """The effective policy that is exactly this policy."""
    document = policy_json(policy)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return EffectivePolicy(policy, document, text, policy_digest(document))


def _overlay(base: Policy, fields: Mapping[str, object]) -> Policy:
    changes: dict[str, object] = {}
    for name, value in fields.items():
        nested = getattr(base, name)
        changes[name] = (
            dataclasses.replace(nested, **value)
            if dataclasses.is_dataclass(nested) and not isinstance(nested, type) and isinstance(value, Mapping)
            else value
        )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]  # names and types are checked on the way in


def policy_json(policy: Policy) -> Mapping[str, JsonValue]:
    """The policy as JSON, every field present, in the order of the contract."""
    return cast("Mapping[str, JsonValue]", _plain(policy))


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, RiskTier):
        return value.label
    if isinstance(value, Enum) and not isinstance(value, IntEnum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def policy_from_json(document: Mapping[str, JsonValue]) -> Policy:
    """The inverse of policy_json; raises KeyError, TypeError or ValueError for a document that policy_json did not make."""
    fields = cast("dict[str, object]", dict(document))
    fields["mode"] = PolicyMode(cast("str", fields["mode"]))
    fields["compliance"] = tuple(cast("list[str]", fields["compliance"]))
    fields["circuit_breaker"] = CircuitBreakerConfig(**cast("dict[str, int]", fields["circuit_breaker"]))
    human = cast("dict[str, object]", dict(cast("Mapping[str, object]", fields["human_in_loop"])))
    human["tier_threshold"] = RiskTier[cast("str", human["tier_threshold"]).upper()]
    human["on_timeout"] = TimeoutAction(cast("str", human["on_timeout"]))
    human["approvers"] = tuple(cast("list[str]", human["approvers"]))
    fields["human_in_loop"] = HumanInLoopConfig(**human)  # type: ignore[arg-type]  # restored field by field above
    allowed = cast("list[str] | None", fields["allowed_tools"])
    fields["allowed_tools"] = None if allowed is None else tuple(allowed)
    fields["denied_data"] = tuple(cast("list[str]", fields.get("denied_data", [])))
    fields["denied_tools"] = tuple(cast("list[str]", fields["denied_tools"]))
    fields["rules"] = tuple(
        PolicyRule(r["name"], RuleEffect(r["effect"]), r["expression"])
        for r in cast("list[dict[str, str]]", fields["rules"])
    )
    return Policy(**fields)  # type: ignore[arg-type]  # restored field by field above


def policy_digest(document: Mapping[str, JsonValue]) -> str:
    """SHA-256 (hex) of the canonical form: sorted keys, no spaces, numbers as their shortest decimal text."""
    text = json.dumps(_decimal(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(b"meshflow/v1/policy\0" + text.encode()).hexdigest()


def _decimal(value: object) -> object:
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return repr(value)
    if isinstance(value, Mapping):
        return {k: _decimal(v) for k, v in value.items()}
    return [_decimal(v) for v in cast("list[object]", value)]
