"""What a resumed run knows of the calls made before it stopped: which have an outcome, and which are in doubt."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.engine.events import output_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A committed call of an agent's loop. ``acted`` says that doing it again would be a second effect."""

    tool: str
    arguments: object
    output: str | None
    labels: frozenset[str]
    acted: bool


@dataclass(slots=True)
class CallHistory:
    """Calls of earlier lives of a run, by step id."""

    calls: dict[str, RecordedCall] = field(default_factory=dict)
    in_doubt: set[str] = field(default_factory=set)

    def take(self, entry: LedgerEntry) -> None:
        """Reads an intent or a committed step; an intent without a committed outcome leaves its step in doubt."""
        if entry.kind is EntryKind.STEP_INTENT:
            self.in_doubt.add(entry.step_id)
            return
        if entry.kind is not EntryKind.STEP_COMMITTED:
            return
        self.in_doubt.discard(entry.step_id)
        if "parent" in entry.facts:
            self.calls[entry.step_id] = _recorded(entry)

    def answer(self, step_id: str, tool: str, arguments: Mapping[str, JsonValue]) -> RecordedCall | None:
        """The outcome of the same call at the same place, given once; None when there is none."""
        found = self.calls.get(step_id)
        if found is None or found.output is None or found.tool != tool or found.arguments != arguments:
            return None
        return self.calls.pop(step_id)

    def doubtful(self, step_id: str, parent: str | None) -> bool:
        """Whether a step that is about to act may have acted before.

        Within an agent's loop the model may ask for the same thing at another place: then every call that acted and is not
        accounted for counts.
        """
        if step_id in self.in_doubt:
            return True
        if parent is None:
            return False
        prefix = f"{parent}/"
        acted = any(call.acted for place, call in self.calls.items() if place.startswith(prefix))
        return acted or any(place.startswith(prefix) for place in self.in_doubt)


def _recorded(entry: LedgerEntry) -> RecordedCall:
    facts = entry.facts
    acts = RiskTier[cast("str", facts["risk"]).upper()] >= RiskTier.EXTERNAL_IO and not facts.get("idempotent")
    payload: object = json.loads(entry.input) if entry.input is not None else None
    arguments = payload.get("arguments") if isinstance(payload, dict) else None
    labels = frozenset(cast("Sequence[str]", facts["labels"]))
    return RecordedCall(cast("str", facts["tool"]), arguments, output_text(entry.output), labels, acts)
