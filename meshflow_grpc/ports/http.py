"""Calls of http nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.tool import ToolContext


class HttpCaller(Protocol):
    """Sends requests to the hosts an operator allows, and nowhere else."""

    def refusal(self, url: str) -> str | None:
        """Why a URL is never called; None when its host is allowed."""
        ...

    async def call(self, arguments: Mapping[str, JsonValue], context: ToolContext) -> str:
        """Sends ``method``, ``url``, ``headers`` and ``body``; returns ``{"status", "body"}`` as JSON text. Raises ToolError.

        MUST check the address it connects to, follow no redirect, and bound what it reads.
        """
        ...
