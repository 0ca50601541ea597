"""What profiles demand of a server beside the policy."""

from __future__ import annotations

from pydantic import Field

from meshflow_grpc.config.sessions import SessionSettings


class ComplianceSettings(SessionSettings):
    """Bounds that profiles hold callers to; see compliance.md."""

    reauth_s: int = Field(
        default=3600,
        ge=60,
        le=43_200,
        description="Seconds after signing in during which a caller starts and decides runs under `hipaa`.",
    )
