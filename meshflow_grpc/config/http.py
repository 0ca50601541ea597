"""Which hosts http nodes may call."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from meshflow_grpc.config.telemetry import TelemetrySettings

_HOST = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|[0-9a-f:]+")


class HttpSettings(TelemetrySettings):
    """Calls that workflows make."""

    http_hosts: str | None = Field(
        default=None,
        description="Hosts that http nodes may call, comma-separated; `*.example.com` for all below; unset: none.",
    )

    @field_validator("http_hosts")
    @classmethod
    def _hosts(cls, value: str | None) -> str | None:
        words = [word.strip().lower() for word in (value or "").split(",") if word.strip()]
        if any(_HOST.fullmatch(word) is None for word in words):
            raise ValueError("each must be a host's name or address, or *.example.com; no scheme, port or path")
        return ",".join(words) or None

    @property
    def called_hosts(self) -> frozenset[str]:
        """The hosts, in lower case."""
        return frozenset(self.http_hosts.split(",")) if self.http_hosts else frozenset()
