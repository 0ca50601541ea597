"""Why a budget does not suffice, and the least number that would."""

from __future__ import annotations

from dataclasses import dataclass

from meshflow_grpc.domain.usage import MICRO_PER_GRAM, NANO_PER_USD


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a reservation was refused: the field of the policy, its limit, and what is left and needed, in the field's unit.

    ``enough`` is the least value of the field that would do, a plain number; None when the field cannot be set that high.
    """

    field: str
    limit: str
    left: str
    needed: str
    enough: str | None

    def __str__(self) -> str:
        return f"needs up to {self.needed}, but only {self.left} of {self.field}={self.limit} is left"

    @property
    def remedy(self) -> str:
        """The cheapest fix, with the number to raise the field to."""
        if self.enough is None:
            return f"ask for less work: policy.{self.field} cannot be raised that far"
        return f"raise policy.{self.field} to at least {self.enough}"


def up_to(ceiling: int, value: int, scale: int = 1) -> str | None:
    """``value / scale`` as text, or None beyond what the field can hold; scale is a power of ten."""
    return _decimal(value, scale) if value <= ceiling else None


def _decimal(value: int, scale: int) -> str:
    """``value / scale`` exactly; scale is a power of ten."""
    whole, rest = divmod(abs(value), scale)
    digits = str(rest).zfill(len(str(scale)) - 1).rstrip("0") if rest else ""
    return "-" * (value < 0) + str(whole) + (f".{digits}" if digits else "")


def usd_text(nano: int) -> str:
    """Nano-USD as dollars, exactly."""
    return f"${_decimal(nano, NANO_PER_USD)}"


def grams_text(micrograms: int) -> str:
    """Micrograms as grams, exactly."""
    return f"{_decimal(micrograms, MICRO_PER_GRAM)} g"
