"""Which web pages may call."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from meshflow_grpc.config.http import HttpSettings
from meshflow_grpc.config.problem import ConfigProblem

_ORIGIN = re.compile(r"https?://[^/\s,*]+")


class WebSettings(HttpSettings):
    """Cross-origin calls (https://fetch.spec.whatwg.org/#http-cors-protocol), which Envoy permits or not."""

    allowed_origins: str | None = Field(
        default=None,
        description="Origins of web pages that may call, comma-separated; unset: only the server's own.",
    )

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: str | None) -> str | None:
        words = [word.strip() for word in (value or "").split(",") if word.strip()]
        wrong = [word for word in words if _ORIGIN.fullmatch(word) is None]
        if wrong or (value is not None and not words):
            raise ValueError(
                "each must be scheme, host and port alone, such as https://console.example.com; no path, no *"
            )
        return ",".join(words) or None

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that may call."""
        return tuple(self.allowed_origins.split(",")) if self.allowed_origins else ()


def origin_problems(origins: tuple[str, ...], *, use_envoy: bool) -> tuple[ConfigProblem, ...]:
    """Without Envoy nobody would answer a browser's preflight."""
    if not origins or use_envoy:
        return ()
    what = "only the Envoy that the server starts permits origins, and MESHFLOW_USE_ENVOY is 0"
    return (ConfigProblem("MESHFLOW_ALLOWED_ORIGINS", what, "unset it, and permit them in your own proxy"),)
