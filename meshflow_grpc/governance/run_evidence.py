"""What a control is judged by: the run's entries, sorted by what they are evidence of, and a finding with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.ledger_entry import EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshflow_grpc.domain.check import ChainVerification
    from meshflow_grpc.domain.ledger_entry import LedgerEntry
    from meshflow_grpc.governance.compliance import Control

_EXECUTION = 11
_SHOWN = 10


class Finding(StrEnum):
    """What the evidence says of a control."""

    PASS = "pass"
    FAIL = "fail"
    NOT_EVIDENCED = "not_evidenced"


@dataclass(frozen=True, slots=True)
class ControlResult:
    """A control, what was found, and why; ``entries`` are the sequences that speak against it."""

    control: Control
    finding: Finding
    evidence: str
    entries: tuple[int, ...] = ()


class RunEvidence:
    """A run's entries, sorted by what they are evidence of; ``now`` is when they are judged, ``hold`` the run's legal hold.

    ``reviews`` are what second persons found of emergency approvals, by the approval, from chains that verify.
    """

    def __init__(
        self,
        entries: Sequence[LedgerEntry],
        chain: ChainVerification,
        stage_names: tuple[str, ...],
        now: str = "",
        hold: str = "",
        reviews: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.now = now
        self.hold = hold
        self.reviews = reviews or {}
        self.entries = entries
        self.chain = chain
        self.stage_names = stage_names
        self.steps = tuple(e for e in entries if "stages" in e.facts)
        self.executed = tuple(e for e in self.steps if decision(e, _EXECUTION) != "skip")
        self.by_hand = any("recorded" in e.facts for e in entries)
        self.gates = tuple(e for e in entries if e.kind is EntryKind.GATE_DECIDED)
        self.start = next((e for e in entries if e.kind is EntryKind.RUN_STARTED), None)
        self.end = next((e for e in entries if e.kind is EntryKind.RUN_FINISHED), None)


def decision(entry: LedgerEntry, stage: int) -> str:
    """What a stage, counted from 0, decided about a step; ``skip`` when the entry does not say."""
    stages = cast("Sequence[Mapping[str, str]]", entry.facts["stages"])
    return stages[stage]["decision"] if stage < len(stages) else "skip"


def judged(control: Control, against: Iterable[LedgerEntry], bad: str, good: str) -> ControlResult:
    """Fails with the entries that speak against the control; passes when there are none."""
    entries = tuple(entry.sequence for entry in against)
    if entries:
        listed = ", ".join(map(str, entries[:_SHOWN])) + ("…" if len(entries) > _SHOWN else "")
        return ControlResult(control, Finding.FAIL, f"{bad}: entries {listed}", entries)
    return ControlResult(control, Finding.PASS, good)
