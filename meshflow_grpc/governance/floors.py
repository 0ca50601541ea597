"""Floors: the least a policy may ask for under a mode, a compliance profile, or the server's own settings. They only tighten."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.errors import FieldViolation
from meshflow_grpc.domain.policy import Policy, PolicyMode, RiskTier, TimeoutAction
from meshflow_grpc.governance.enforcement import ENFORCED_BY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Least = bool | RiskTier | TimeoutAction


class Tier(StrEnum):
    """Governance tier of a server (MESHFLOW_ZT_TIER)."""

    FOUNDATION = "foundation"
    ENTERPRISE = "enterprise"
    ADVANCED = "advanced"


@dataclasses.dataclass(frozen=True, slots=True)
class ServerFloors:
    """What an operator demands of every run."""

    tier: Tier | None = None
    regulation: tuple[str, ...] = ()


NO_FLOORS = ServerFloors()


@dataclasses.dataclass(frozen=True, slots=True)
class Floor:
    """The least for some fields, by their path in the policy; ``name`` says who demands it."""

    name: str
    least: Mapping[str, Least]


_HUMAN: dict[str, Least] = {
    "human_in_loop.enabled": True,
    "human_in_loop.tier_threshold": RiskTier.EXTERNAL_IO,
    "human_in_loop.on_timeout": TimeoutAction.REJECT,
}
_REGULATED: dict[str, Least] = {"enable_guardian": True, "scrub_pii": True, "immutable_audit": True, **_HUMAN}

MODE_FLOORS: dict[PolicyMode, dict[str, Least]] = {
    PolicyMode.DEV: {},
    PolicyMode.STANDARD: {},
    PolicyMode.REGULATED: _REGULATED,
    PolicyMode.LEGAL_CRITICAL: {**_REGULATED, "enable_uncertainty": True},
    PolicyMode.HIPAA: _REGULATED,
}
PROFILE_FLOORS: dict[str, dict[str, Least]] = {
    "hipaa": _REGULATED,
    "sox": {"immutable_audit": True, **_HUMAN},
    "gdpr": {
        "enable_guardian": True,
        "scrub_pii": True,
        "human_in_loop.enabled": True,
        "human_in_loop.tier_threshold": RiskTier.IRREVERSIBLE,
        "human_in_loop.on_timeout": TimeoutAction.REJECT,
    },
}
# The modes a tier accepts; the first is the one that others are raised to.
TIER_MODES: dict[Tier, tuple[PolicyMode, ...]] = {
    Tier.FOUNDATION: (PolicyMode.STANDARD, PolicyMode.REGULATED, PolicyMode.HIPAA, PolicyMode.LEGAL_CRITICAL),
    Tier.ENTERPRISE: (PolicyMode.REGULATED, PolicyMode.HIPAA, PolicyMode.LEGAL_CRITICAL),
    Tier.ADVANCED: (PolicyMode.LEGAL_CRITICAL,),
}
TIER_FLOORS: dict[Tier, dict[str, Least]] = {
    Tier.FOUNDATION: {"enable_guardian": True},
    Tier.ENTERPRISE: {},
    Tier.ADVANCED: {},
}


def raised(
    policy: Policy, explicit: Mapping[str, str], server: ServerFloors
) -> tuple[Policy, tuple[FieldViolation, ...]]:
    """The policy raised by every floor, and a violation per field that was asked for below one.

    ``explicit`` maps the path of each field that the workflow or the request set to its place, for example
    ``human_in_loop.enabled`` to ``policy.human_in_loop.enabled``. Fields nobody set are raised without a word.
    """
    violations: list[FieldViolation] = []
    policy = _with_mode(policy, explicit, server, violations)
    policy = _with_profiles(policy, explicit, server, violations)
    for floor in _floors(policy, server):
        for path, least in floor.least.items():
            if path.partition(".")[0] not in ENFORCED_BY or _suffices(value_at(policy, path), least):
                continue
            if path in explicit:
                violations.append(FieldViolation(explicit[path], _below(value_at(policy, path), floor.name, least)))
            policy = _set(policy, path, least)
    return policy, tuple(violations)


def unmet(policy: Policy, profile: str) -> tuple[str, ...]:
    """Paths of the fields in which a policy is below a profile's floor; a resumed run's policy may be older than the floor."""
    return tuple(path for path, least in _enforced(profile) if not _suffices(value_at(policy, path), least))


@lru_cache(maxsize=8)
def _enforced(profile: str) -> tuple[tuple[str, Least], ...]:
    floor = PROFILE_FLOORS[profile].items()
    return tuple((path, least) for path, least in floor if path.partition(".")[0] in ENFORCED_BY)


def _with_mode(
    policy: Policy, explicit: Mapping[str, str], server: ServerFloors, violations: list[FieldViolation]
) -> Policy:
    accepted = TIER_MODES[server.tier] if server.tier is not None else tuple(PolicyMode)
    if policy.mode in accepted:
        return policy
    if "mode" in explicit:
        floor = f"tier {server.tier} (MESHFLOW_ZT_TIER)"
        violations.append(
            FieldViolation(explicit["mode"], f"{policy.mode.value} is below the floor of {floor}: {_one_of(accepted)}")
        )
    return dataclasses.replace(policy, mode=accepted[0])


def _one_of(modes: tuple[PolicyMode, ...]) -> str:
    return f"leave it out, or use {' or '.join(mode.value for mode in modes)}"


def _with_profiles(
    policy: Policy, explicit: Mapping[str, str], server: ServerFloors, violations: list[FieldViolation]
) -> Policy:
    """Profiles add up; only asking for none at all is asking for less."""
    demanded = {*server.regulation, *(("hipaa",) if policy.mode is PolicyMode.HIPAA else ())}
    if not demanded:
        return policy
    if "compliance" in explicit and not policy.compliance:
        by = "mode hipaa" if not server.regulation else "the server (MESHFLOW_ZT_REGULATION)"
        listed = ", ".join(sorted(demanded))
        violations.append(
            FieldViolation(explicit["compliance"], f"none is below the floor of {by}: leave it out, or use {listed}")
        )
    return dataclasses.replace(policy, compliance=tuple(sorted({*policy.compliance, *demanded})))


def _floors(policy: Policy, server: ServerFloors) -> Iterator[Floor]:
    if server.tier is not None:
        yield Floor(f"tier {server.tier} (MESHFLOW_ZT_TIER)", TIER_FLOORS[server.tier])
    yield Floor(f"mode {policy.mode.value}", MODE_FLOORS[policy.mode])
    for profile in policy.compliance:
        yield Floor(f"profile {profile}", PROFILE_FLOORS[profile])


def _suffices(value: object, least: Least) -> bool:
    if isinstance(least, RiskTier):
        return cast("RiskTier", value) <= least
    return value == least


def _below(value: object, floor: str, least: Least) -> str:
    bound = f"{_word(least)} or lower" if isinstance(least, RiskTier) else _word(least)
    return f"{_word(value)} is below the floor of {floor}: leave it out, or use {bound}"


def _word(value: object) -> str:
    return value.label if isinstance(value, RiskTier) else str(value).lower()


def value_at(policy: Policy, path: str) -> object:
    """The value of a field by its path, for example ``human_in_loop.enabled``."""
    return _getter(path)(policy)


@lru_cache(maxsize=64)
def _getter(path: str) -> attrgetter[object]:
    return attrgetter(path)


def _set(policy: Policy, path: str, value: Least) -> Policy:
    outer, _, inner = path.partition(".")
    new: object = dataclasses.replace(getattr(policy, outer), **{inner: value}) if inner else value
    return dataclasses.replace(policy, **{outer: new})  # type: ignore[arg-type]  # names and types are those of the floors


def explicit_paths(layers: Iterable[tuple[str, Mapping[str, object]]]) -> dict[str, str]:
    """Each field that a layer sets, with its place; later layers win."""
    found: dict[str, str] = {}
    for prefix, fields in layers:
        for name, value in fields.items():
            inner = [f"{name}.{each}" for each in value] if isinstance(value, Mapping) else [name]
            found |= {path: f"{prefix}.{path}" for path in inner}
    return found
