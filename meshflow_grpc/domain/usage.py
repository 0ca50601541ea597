"""What a step or a run used, in integers that add up exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

NANO_PER_USD = 1_000_000_000
MICRO_PER_GRAM = 1_000_000


class Usage(NamedTuple):
    """Tokens, cost in nano-USD, carbon in micrograms of CO2 equivalent, and steps."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int = 0
    carbon_ug: int = 0
    steps: int = 0

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def without_steps(self) -> Usage:
        """The same, of no step."""
        return Usage(self.input_tokens, self.output_tokens, self.cost_nano_usd, self.carbon_ug)

    def __add__(self, other: Usage) -> Usage:  # type: ignore[override]  # usages add up, they are not joined
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_nano_usd + other.cost_nano_usd,
            self.carbon_ug + other.carbon_ug,
            self.steps + other.steps,
        )


ZERO_USAGE = Usage()


# Beyond every entry's place in the ledger.
MAX_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SessionUse:
    """What the runs of a session have spent, and what their steps under way may still cost; nano-USD."""

    spent_nano_usd: int
    reserved_nano_usd: int

    @property
    def total_nano_usd(self) -> int:
        """Both together: what must not exceed a session's budget."""
        return self.spent_nano_usd + self.reserved_nano_usd


def usd(nano: int) -> float:
    """Nano-USD as US dollars."""
    return nano / NANO_PER_USD


def nano_usd(dollars: float) -> int:
    """US dollars as nano-USD, rounded to the nearest."""
    return round(dollars * NANO_PER_USD)


def grams(micrograms: int) -> float:
    """Micrograms as grams."""
    return micrograms / MICRO_PER_GRAM
