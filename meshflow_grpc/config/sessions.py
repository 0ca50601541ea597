"""How much a run is told of its session."""

from __future__ import annotations

from pydantic import Field

from meshflow_grpc.config.web import WebSettings


class SessionSettings(WebSettings):
    """Bounds of the conversation that agents see; see sessions.md."""

    session_turns: int = Field(
        default=10, ge=0, le=100, description="Earlier runs of its session that a run is told of; `0`: none."
    )
    session_chars: int = Field(
        default=20_000, ge=200, le=1_000_000, description="Most characters of earlier runs that a run is told."
    )
