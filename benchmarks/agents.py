"""The agents of the workload as functions of the process, as other engines have them: what they cost is next to nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from meshflow_grpc.ports.provider import ModelReply
from meshflow_grpc.providers.mock import MockProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshflow_grpc.ports.provider import ModelRequest


class Agents(MockProvider):
    """Priced as the offline model, and answering what a node's ``mock`` says without checking it."""

    async def complete(self, request: ModelRequest, on_delta: Callable[[str], None] | None = None) -> ModelReply:
        """Answers at once, or after the ``latency_ms`` of the node."""
        script: Any = request.config["mock"]
        if latency_ms := script.get("latency_ms"):
            await asyncio.sleep(latency_ms / 1000)
        text = script.get("output") or f'{{"quality_score": {script["scores"][request.iteration - 1]}}}'
        return ModelReply(text, request.model, len(request.prompt) // 4, len(text) // 4)
