"""What profiles demand of a server beside the policy."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from meshflow_grpc.config.sessions import SessionSettings
from meshflow_grpc.governance.recipients import NO_RECIPIENTS, Recipients, parse_recipients
from meshflow_grpc.governance.storage_limit import MAX_DAYS


class ComplianceSettings(SessionSettings):
    """Bounds that profiles hold callers to; see compliance.md."""

    reauth_s: int = Field(
        default=3600,
        ge=60,
        le=43_200,
        description="Seconds after signing in during which a caller starts and decides runs under `hipaa`.",
    )
    emergency_s: int = Field(
        default=900,
        ge=60,
        le=3600,
        description="Seconds after signing in during which the role `emergency` approves with break_glass.",
    )
    recipients_file: Path | None = Field(
        default=None, description="JSON file of those that steps may hand data to under `gdpr`; see compliance.md."
    )

    payload_days: int | None = Field(
        default=None,
        ge=1,
        le=MAX_DAYS,
        description="Days that payloads of new runs are kept after the end, for `meshflow ledger gc`; unset: as long as the run.",
    )

    @field_validator("recipients_file")
    @classmethod
    def _recipients(cls, value: Path | None) -> Path | None:
        if value is not None:
            _read(value)
        return value

    @property
    def recipients(self) -> Recipients:
        """The declared recipients, as the file says now."""
        return NO_RECIPIENTS if self.recipients_file is None else _read(self.recipients_file)


def _read(path: Path) -> Recipients:
    try:
        return parse_recipients(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
