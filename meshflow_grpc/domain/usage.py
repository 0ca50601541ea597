"""What a step or a run used, in integers that add up exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

# What a named tuple's own constructor does, in a third of its time: steps add up several usages each.
_new = tuple.__new__

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
        return _new(Usage, (*self[:4], 0))

    def of_one_step(self) -> Usage:
        """The same, of one step."""
        return _new(Usage, (*self[:4], 1))

    def __add__(self, other: Usage) -> Usage:  # type: ignore[override]  # usages add up, they are not joined
        tokens_in, tokens_out, cost, carbon, steps = self
        more_in, more_out, more_cost, more_carbon, more_steps = other
        return _new(
            Usage,
            (tokens_in + more_in, tokens_out + more_out, cost + more_cost, carbon + more_carbon, steps + more_steps),
        )

    def __sub__(self, other: Usage) -> Usage:
        tokens_in, tokens_out, cost, carbon, steps = self
        less_in, less_out, less_cost, less_carbon, less_steps = other
        return _new(
            Usage,
            (tokens_in - less_in, tokens_out - less_out, cost - less_cost, carbon - less_carbon, steps - less_steps),
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
