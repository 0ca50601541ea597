"""Taint labels: where data came from and what is in it. Labels of all inputs flow to the output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.domain.policy import RiskTier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UNTRUSTED = "untrusted"
EXTERNAL = "external"
PII = "pii"
PHI = "phi"
SECRET = "secret"

# The lowest tier that data with a label may not reach. A secret never leaves the system; what a stranger wrote never
# causes what cannot be taken back.
CEILING: dict[str, RiskTier] = {SECRET: RiskTier.EXTERNAL_IO, UNTRUSTED: RiskTier.IRREVERSIBLE}

# What a compliance profile forbids on top.
PROFILE_CEILING: dict[str, dict[str, RiskTier]] = {
    "gdpr": {PII: RiskTier.IRREVERSIBLE},
    "hipaa": {PHI: RiskTier.EXTERNAL_IO},
}

# Label of a run that says, joined by commas, where its task came from: a node of the mesh hands on what it knows.
GIVEN = "mesh_taint"


def given(labels: Mapping[str, str]) -> frozenset[str]:
    """The taint of a run's task. Whoever asks for the run may add to it, and so only tightens what the run may do."""
    return frozenset(word for word in labels.get(GIVEN, "").split(",") if word)


def forbidden(labels: frozenset[str], tier: RiskTier, profiles: Iterable[str] = ()) -> str | None:
    """The label that may not reach an action of this tier under these compliance profiles, or None."""
    ceilings = [CEILING, *(PROFILE_CEILING.get(profile, {}) for profile in profiles)]
    for label in sorted(labels):
        if any(label in ceiling and tier >= ceiling[label] for ceiling in ceilings):
            return label
    return None
