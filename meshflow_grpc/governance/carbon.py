"""Estimated carbon of model calls (MARLIN): tokens x energy per token x PUE x grid intensity."""

from __future__ import annotations

from dataclasses import dataclass

# Joules per output token by model class; input tokens cost a tenth (prefill is batched). Order-of-magnitude figures from
# Luccioni et al., "Power Hungry Processing" (FAccT 2024) and Samsi et al., "From Words to Watts" (HPEC 2023): 0.3 to 4 J a token.
ENERGY_J_PER_OUTPUT_TOKEN = {"small": 0.4, "medium": 1.5, "large": 4.0}
INPUT_SHARE = 0.1
# Power usage effectiveness of hyperscale sites (Uptime Institute survey 2024: about 1.2), world average grid intensity
# in grams of CO2 equivalent per kWh (Ember, Global Electricity Review 2024: 480).
DEFAULT_PUE = 1.2
DEFAULT_INTENSITY_G_PER_KWH = 480.0
JOULES_PER_KWH = 3_600_000.0


@dataclass(frozen=True, slots=True)
class CarbonModel:
    """Where the models run: power usage effectiveness and grid intensity in g CO2e per kWh."""

    pue: float = DEFAULT_PUE
    intensity_g_per_kwh: float = DEFAULT_INTENSITY_G_PER_KWH

    def micrograms(self, model: str, input_tokens: int, output_tokens: int) -> int:
        """Estimated micrograms of CO2 equivalent of one call, rounded up so that a budget is never undercounted."""
        joules = ENERGY_J_PER_OUTPUT_TOKEN[model_class(model)] * (output_tokens + INPUT_SHARE * input_tokens)
        return -int(-(joules / JOULES_PER_KWH * self.pue * self.intensity_g_per_kwh * 1e6) // 1)


def model_class(model: str) -> str:
    """Energy class of a model by its name; an unknown model counts as large."""
    name = model.lower()
    if any(word in name for word in ("haiku", "mini", "nano", "flash", "mock")):
        return "small"
    if any(word in name for word in ("sonnet", "medium")):
        return "medium"
    return "large"
