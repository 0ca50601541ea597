"""Chooses the model provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshflow_grpc.providers.mock import MockProvider

if TYPE_CHECKING:
    from meshflow_grpc.config import Settings
    from meshflow_grpc.ports.provider import ModelProvider


def open_provider(settings: Settings) -> ModelProvider:
    """Opens the provider the settings name; the SDK of the paid one takes a second to import, so only its users pay for it."""
    if settings.mock or settings.anthropic_api_key is None:
        return MockProvider(latency_ms=settings.mock_latency_ms)
    from meshflow_grpc.providers.anthropic import AnthropicProvider
    from meshflow_grpc.providers.pricing import parse_prices

    return AnthropicProvider(
        api_key=settings.anthropic_api_key.get_secret_value(),
        base_url=settings.anthropic_base_url,
        default_model=settings.model,
        prices=parse_prices(settings.model_prices or ""),
    )
