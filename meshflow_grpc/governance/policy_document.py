"""A policy as programs give it: a Policy, or the fields of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from meshflow_grpc.domain.policy import Policy, RiskTier

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from meshflow_grpc.domain.json_value import JsonValue

AnyPolicy: TypeAlias = Policy | Mapping[str, Any]


def policy_document(policy: AnyPolicy | None) -> dict[str, JsonValue]:
    """The fields as YAML or JSON would give them; of a Policy those that differ from the default. Raises TypeError."""
    if isinstance(policy, Policy):
        return _differences(policy, Policy())
    given: object = {} if policy is None else policy
    if not isinstance(given, Mapping):
        message = f"the policy must be a Policy or the fields of one, not {type(given).__name__}"
        raise TypeError(message)
    usual = Policy()
    return {name: _plain(value, getattr(usual, str(name), None)) for name, value in given.items()}


def _differences(value: DataclassInstance, usual: object) -> dict[str, JsonValue]:
    own = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    default = {name: getattr(usual, name, dataclasses.MISSING) for name in own}
    return {name: _plain(own[name], default[name]) for name in own if own[name] != default[name]}


def _plain(value: object, usual: object = None) -> JsonValue:
    """Tiers by name, tuples as lists, and objects by the fields that differ from ``usual``."""
    if isinstance(value, RiskTier):
        return value.label
    if isinstance(value, StrEnum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _differences(value, usual)
    if isinstance(value, tuple | list | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return cast("JsonValue", value)
