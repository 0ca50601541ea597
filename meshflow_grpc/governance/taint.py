"""Taint labels: where data came from and what is in it. Labels of all inputs flow to the output."""

from __future__ import annotations

from meshflow_grpc.domain.policy import RiskTier

UNTRUSTED = "untrusted"
EXTERNAL = "external"
PII = "pii"
PHI = "phi"
SECRET = "secret"

# The lowest tier that data with a label may not reach: a secret never leaves the system.
CEILING: dict[str, RiskTier] = {SECRET: RiskTier.EXTERNAL_IO}


def forbidden(labels: frozenset[str], tier: RiskTier) -> str | None:
    """The label that may not reach an action of this tier, or None."""
    for label in sorted(labels):
        ceiling = CEILING.get(label)
        if ceiling is not None and tier >= ceiling:
            return label
    return None
