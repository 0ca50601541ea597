"""Tokens, money and carbon of all steps: added in integers, read at any time, there from the start."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.telemetry.used import Used


def _shown(registry: CollectorRegistry) -> tuple[float | None, ...]:
    tokens = [registry.get_sample_value("meshflow_tokens_total", {"direction": way}) for way in ("input", "output")]
    rest = [registry.get_sample_value(f"meshflow_{name}_total") for name in ("cost_usd", "carbon_grams")]
    return (*tokens, *rest)


def test_what_steps_used_adds_up_without_rounding() -> None:
    """Three times a tenth is 0.3, which floats do not add up to; before the first step everything is zero."""
    registry = CollectorRegistry()
    used = Used(registry)
    assert _shown(registry) == (0, 0, 0, 0)
    for _ in range(3):
        used.add(Usage(input_tokens=7, output_tokens=11, cost_nano_usd=100_000_000, carbon_ug=100_000, steps=1))
    assert _shown(registry) == (21, 33, 0.3, 0.3)
