"""Where metrics are served and traces are sent."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from meshflow_grpc.config.auth import AuthSettings


class TelemetrySettings(AuthSettings):
    """Metrics and traces. A port of 0 means a free port."""

    metrics_host: str = Field(default="127.0.0.1", min_length=1, description="Address that metrics are served on.")
    metrics_port: int = Field(
        default=9464, ge=0, le=65535, description="Port of `GET /metrics`; `0` is a free one, which the log names."
    )
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        pattern=r"^https?://[^/]",
        description="Where traces are sent, as http:// or https:// URL; unset: nowhere.",
    )
    otlp_protocol: Literal["grpc", "http/protobuf"] | None = Field(
        default=None,
        validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL",
        description="OTLP over `grpc` or `http/protobuf`; unset: HTTP to port 4318, else gRPC.",
    )

    @property
    def otlp_over_http(self) -> bool:
        """Whether traces go over HTTP; 4318 is its registered port, 4317 that of gRPC."""
        if self.otlp_protocol is not None:
            return self.otlp_protocol == "http/protobuf"
        return urlsplit(self.otlp_endpoint or "").port == 4318
