"""Modes, profiles and the server's settings raise a policy; asking for less is named, never changed in silence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshflow_grpc.domain.policy import Policy, PolicyMode, RiskTier, TimeoutAction
from meshflow_grpc.governance.effective_policy import EffectivePolicy, of_policy, resolve
from meshflow_grpc.governance.enforcement import ENFORCED_BY
from meshflow_grpc.governance.floors import MODE_FLOORS, NO_FLOORS, PROFILE_FLOORS, ServerFloors, Tier, unmet, value_at

PROFILES = st.sets(st.sampled_from(["gdpr", "hipaa", "sox"])).map(lambda s: tuple(sorted(s)))
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(PolicyMode),
        "enable_guardian": st.booleans(),
        "scrub_pii": st.booleans(),
        "enable_uncertainty": st.booleans(),
        "compliance": PROFILES,
        "human_in_loop": st.fixed_dictionaries(
            {},
            optional={
                "enabled": st.booleans(),
                "tier_threshold": st.sampled_from(RiskTier),
                "on_timeout": st.sampled_from(TimeoutAction),
            },
        ),
    },
)
SERVERS = st.builds(ServerFloors, st.none() | st.sampled_from(Tier), PROFILES)


def asked(fields: dict[str, object], server: ServerFloors = NO_FLOORS) -> EffectivePolicy:
    """The effective policy of a request."""
    return resolve(Policy(), {}, fields, server)


def below(effective: EffectivePolicy) -> list[str]:
    """Fields that asked for less than a floor."""
    return [violation.field for violation in effective.below_floor]


@given(FIELDS, SERVERS)
def test_no_effective_policy_is_below_a_floor(fields: dict[str, object], server: ServerFloors) -> None:
    """Whatever is asked for: the profiles' floors hold, the server's profiles are in, and the digest is that of the result."""
    effective = asked(fields, server)

    assert set(server.regulation) <= set(effective.policy.compliance)
    assert not any(unmet(effective.policy, profile) for profile in effective.policy.compliance)
    assert effective.digest == of_policy(effective.policy).digest


@given(FIELDS, SERVERS)
def test_floors_only_tighten(fields: dict[str, object], server: ServerFloors) -> None:
    """A raised field is at its floor; a field that no floor names stays as asked."""
    raised, plain = asked(fields, server).policy, asked(fields).policy

    assert raised.human_in_loop.tier_threshold <= plain.human_in_loop.tier_threshold
    assert (raised.enable_guardian, raised.scrub_pii) >= (plain.enable_guardian, plain.scrub_pii)
    assert (raised.budget_usd, raised.allowed_tools) == (plain.budget_usd, plain.allowed_tools)


@pytest.mark.parametrize(
    ("fields", "field", "floor"),
    [
        ({"mode": PolicyMode.REGULATED, "enable_guardian": False}, "policy.enable_guardian", "mode regulated"),
        ({"mode": PolicyMode.HIPAA, "scrub_pii": False}, "policy.scrub_pii", "mode hipaa"),
        ({"mode": PolicyMode.LEGAL_CRITICAL, "enable_uncertainty": False}, "policy.enable_uncertainty", "legal-crit"),
        ({"mode": PolicyMode.HIPAA, "compliance": ()}, "policy.compliance", "mode hipaa"),
        ({"compliance": ("gdpr",), "scrub_pii": False}, "policy.scrub_pii", "profile gdpr"),
        (
            {"compliance": ("sox",), "human_in_loop": {"on_timeout": TimeoutAction.APPROVE}},
            "policy.human_in_loop.on_timeout",
            "profile sox",
        ),
        (
            {"compliance": ("sox",), "human_in_loop": {"tier_threshold": RiskTier.IRREVERSIBLE}},
            "policy.human_in_loop.tier_threshold",
            "external_io or lower",
        ),
    ],
)
def test_asking_for_less_names_field_floor_and_fix(fields: dict[str, object], field: str, floor: str) -> None:
    """The violation says who demands more, and the policy is raised all the same."""
    effective = asked(fields)

    assert below(effective) == [field]
    assert floor in effective.below_floor[0].description
    assert "leave it out, or use" in effective.below_floor[0].description


def test_what_nobody_asked_for_is_raised_without_a_violation() -> None:
    """The defaults are looser than hipaa; that is no fault of the request."""
    effective = asked({"mode": PolicyMode.HIPAA})

    assert below(effective) == []
    assert effective.policy.compliance == ("hipaa",)
    assert (effective.policy.scrub_pii, effective.policy.human_in_loop.enabled) == (True, True)
    assert effective.policy.human_in_loop.tier_threshold is RiskTier.EXTERNAL_IO


def test_a_workflow_that_asks_for_less_is_named_with_its_place() -> None:
    """Unless the request asks for enough."""
    loose = {"scrub_pii": False}
    assert below(resolve(Policy(), loose, {"compliance": ("gdpr",)})) == ["workflow.policy.scrub_pii"]
    assert below(resolve(Policy(), loose, {"compliance": ("gdpr",), "scrub_pii": True})) == []


def test_all_violations_are_told_at_once() -> None:
    """One answer, every field."""
    fields = {"mode": PolicyMode.REGULATED, "enable_guardian": False, "human_in_loop": {"enabled": False}}
    assert below(asked(fields)) == ["policy.enable_guardian", "policy.human_in_loop.enabled"]


@pytest.mark.parametrize(
    ("tier", "mode", "accepted"),
    [
        (Tier.FOUNDATION, PolicyMode.DEV, False),
        (Tier.FOUNDATION, PolicyMode.STANDARD, True),
        (Tier.ENTERPRISE, PolicyMode.STANDARD, False),
        (Tier.ENTERPRISE, PolicyMode.HIPAA, True),
        (Tier.ADVANCED, PolicyMode.REGULATED, False),
        (Tier.ADVANCED, PolicyMode.LEGAL_CRITICAL, True),
    ],
)
def test_a_tier_accepts_its_modes_and_stricter_ones(tier: Tier, mode: PolicyMode, accepted: bool) -> None:
    """A mode below the tier is a violation; without one the tier's own mode is in force."""
    server = ServerFloors(tier)
    assert (below(asked({"mode": mode}, server)) == []) is accepted
    assert below(asked({}, server)) == []
    assert asked({}, server).policy.mode is not PolicyMode.DEV


def test_a_foundation_server_keeps_its_guardian() -> None:
    """Switching it off is asking for less."""
    assert below(asked({"enable_guardian": False}, ServerFloors(Tier.FOUNDATION))) == ["policy.enable_guardian"]


def test_immutable_audit_is_in_the_floors_as_soon_as_it_is_enforced() -> None:
    """A floor never promises what no stage holds."""
    assert MODE_FLOORS[PolicyMode.REGULATED]["immutable_audit"] is True
    assert PROFILE_FLOORS["sox"]["immutable_audit"] is True
    assert value_at(asked({"compliance": ("sox",)}).policy, "immutable_audit") is ("immutable_audit" in ENFORCED_BY)
