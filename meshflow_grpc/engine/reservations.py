"""Reservations of a run that its ledger holds open: steps that broke off without an outcome may have spent them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.ledger_entry import OUTCOME_KINDS, RESERVATION_MARK, EntryKind
from meshflow_grpc.domain.usage import ZERO_USAGE, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry


# The fact of a run_resumed entry that says what it charges; without it, all that is open (ledgers written before it existed).
CHARGED = "charged"


@dataclass(slots=True)
class OpenReservations:
    """The newest reservation of each step that has no outcome yet."""

    by_step: dict[str, Usage] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[LedgerEntry]) -> OpenReservations:
        """Those that a run's entries leave open."""
        found = cls()
        for entry in entries:
            found.take(entry)
        return found

    def take(self, entry: LedgerEntry) -> Usage:
        """Reads the next entry; returns what it charges for steps that broke off. A resumption charges what it states."""
        if entry.kind is EntryKind.BUDGET_RESERVED:
            worst_case = cast("Mapping[str, JsonValue]", entry.facts["worst_case"])
            self.by_step[entry.step_id.partition(RESERVATION_MARK)[0]] = usage_in(worst_case, steps=0)
        elif entry.kind in OUTCOME_KINDS:
            self.by_step.pop(entry.step_id, None)
        elif entry.kind is EntryKind.RUN_RESUMED:
            stated = entry.facts.get(CHARGED)
            lost = self.total if stated is None else usage_in(cast("Mapping[str, JsonValue]", stated), steps=0)
            self.by_step.clear()
            return lost
        return ZERO_USAGE

    @property
    def total(self) -> Usage:
        """All of them together."""
        return sum(self.by_step.values(), ZERO_USAGE)


def usage_in(facts: Mapping[str, JsonValue], *, steps: int) -> Usage:
    """The usage that facts state under ``tokens``, ``cost_nano_usd`` and ``carbon_ug``."""
    tokens = cast("Mapping[str, int]", facts["tokens"])
    cost, carbon = cast("int", facts["cost_nano_usd"]), cast("int", facts["carbon_ug"])
    return Usage(tokens["input"], tokens["output"], cost, carbon, steps)
