"""What stage 6 objects to, control by control, and what it records as held."""

from __future__ import annotations

import dataclasses

import pytest

from meshflow_grpc.domain.policy import HumanInLoopConfig, Policy, RiskTier
from meshflow_grpc.domain.run import Principal
from meshflow_grpc.governance.compliance import CONTROLS, Safeguards, StepFacts, controls_of, held, objections
from meshflow_grpc.governance.effective_policy import resolve
from meshflow_grpc.kernel.pipeline import STAGE_NAMES

ALL = ("gdpr", "hipaa", "sox")
POLICY = resolve(Policy(), {}, {"compliance": ALL}).policy
SAFE = Safeguards(production=True, payloads_encrypted=True)
GOOD = StepFacts(POLICY, Principal("ann", "acme", method="jwt"), {"purpose": "care"}, True, SAFE)


def reasons(facts: StepFacts) -> list[tuple[str, str]]:
    """Control and reason of each objection."""
    return [(objection.control, objection.reason) for objection in objections(facts)]


def test_a_step_that_meets_everything_passes_and_says_so() -> None:
    """Every control that stage 6 decides is held."""
    assert reasons(GOOD) == []
    assert {"hipaa.profile", "hipaa.identity", "hipaa.encryption", "sox.identity", "gdpr.purpose"} <= set(held(GOOD))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"labels": {}}, ("gdpr.purpose", "PURPOSE_REQUIRED")),
        ({"labels": {"purpose": "  "}}, ("gdpr.purpose", "PURPOSE_REQUIRED")),
        ({"principal": Principal("anonymous", "acme")}, ("hipaa.identity", "IDENTITY_REQUIRED")),
        ({"principal": Principal("anonymous", "acme")}, ("sox.identity", "IDENTITY_REQUIRED")),
        ({"safeguards": Safeguards(production=True)}, ("hipaa.encryption", "ENCRYPTION_REQUIRED")),
        ({"policy": dataclasses.replace(POLICY, scrub_pii=False)}, ("hipaa.profile", "PROFILE_FLOOR_UNMET")),
        ({"policy": dataclasses.replace(POLICY, enable_guardian=False)}, ("gdpr.profile", "PROFILE_FLOOR_UNMET")),
        (
            {"policy": dataclasses.replace(POLICY, human_in_loop=HumanInLoopConfig())},
            ("sox.oversight", "OVERSIGHT_REQUIRED"),
        ),
        (
            {
                "policy": dataclasses.replace(
                    POLICY, human_in_loop=HumanInLoopConfig(enabled=True, tier_threshold=RiskTier.IRREVERSIBLE)
                )
            },
            ("sox.profile", "PROFILE_FLOOR_UNMET"),
        ),
    ],
)
def test_each_control_objects_to_what_it_is_for(change: dict[str, object], expected: tuple[str, str]) -> None:
    """One thing missing, one control named."""
    assert expected in reasons(dataclasses.replace(GOOD, **change))  # type: ignore[arg-type]


def test_what_is_allowed_in_trials_is_not_recorded_as_held() -> None:
    """Outside of production an anonymous caller and clear payloads pass, and no entry claims otherwise."""
    trial = dataclasses.replace(GOOD, principal=Principal("anonymous", "acme"), safeguards=Safeguards())

    assert reasons(trial) == []
    assert not {"hipaa.identity", "sox.identity", "hipaa.encryption"} & set(held(trial))


def test_every_control_names_a_stage_or_why_it_has_none() -> None:
    """The table of the report is complete, and its stages are those of the kernel."""
    assert {control.profile for control in CONTROLS} == set(ALL)
    assert all(control.stage in STAGE_NAMES if control.stage else control.absent for control in CONTROLS)
    assert all(controls_of(profile) for profile in ALL)
