"""What a resumed run knows of the calls made before it stopped: which have an outcome, and which are in doubt."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from meshflow_grpc.domain.approval import Decision
from meshflow_grpc.domain.ledger_entry import EntryKind
from meshflow_grpc.domain.peer_step import PEER_MARK, AskedPeer
from meshflow_grpc.domain.policy import RiskTier
from meshflow_grpc.domain.usage import Usage
from meshflow_grpc.engine.events import output_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshflow_grpc.domain.json_value import JsonValue
    from meshflow_grpc.domain.ledger_entry import LedgerEntry

_IN_DOUBT = "IN_DOUBT"


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
    asked: dict[str, AskedPeer] = field(default_factory=dict)
    _doubts: dict[str, str] = field(default_factory=dict)

    def take(self, entry: LedgerEntry) -> None:
        """Reads an intent or a committed step; an intent without a committed outcome leaves its step in doubt."""
        if entry.kind is EntryKind.STEP_INTENT:
            step_id = entry.step_id.partition(PEER_MARK)[0]
            self.in_doubt.add(step_id)
            if "peer" in entry.facts:
                self.asked[step_id] = _asked(entry)
            return
        if entry.kind is EntryKind.STEP_PAUSED and entry.facts["reason"] == _IN_DOUBT:
            self._doubts[cast("Mapping[str, str]", entry.facts["approval"])["approval_id"]] = entry.step_id
        if entry.kind is EntryKind.GATE_DECIDED:
            self._clear(entry)
        if entry.kind is not EntryKind.STEP_COMMITTED:
            return
        self.in_doubt.discard(entry.step_id)
        self.asked.pop(entry.step_id, None)
        if "parent" in entry.facts:
            self.calls[entry.step_id] = _recorded(entry)

    def _clear(self, entry: LedgerEntry) -> None:
        """A person, not the clock, may let a step that is in doubt be done again."""
        facts = entry.facts
        step_id = self._doubts.get(cast("str", facts["approval_id"]))
        actor = cast("Mapping[str, str]", facts["actor"])
        if step_id in self.asked and facts["decision"] == Decision.APPROVE and actor["auth"] != "server":
            self.asked[step_id] = replace(self.asked[step_id], cleared=True)

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


def _asked(entry: LedgerEntry) -> AskedPeer:
    peer = cast("Mapping[str, Any]", entry.facts["peer"])
    share = peer["share"]
    usage = Usage(0, share["tokens"], share["cost_nano_usd"], share["carbon_ug"], steps=1)
    return AskedPeer(peer["node_id"], peer["slug"], usage, peer["timeout_ms"])


def _recorded(entry: LedgerEntry) -> RecordedCall:
    facts = entry.facts
    acts = RiskTier[cast("str", facts["risk"]).upper()] >= RiskTier.EXTERNAL_IO and not facts.get("idempotent")
    payload: object = json.loads(entry.input) if entry.input is not None else None
    arguments = payload.get("arguments") if isinstance(payload, dict) else None
    labels = frozenset(cast("Sequence[str]", facts["labels"]))
    return RecordedCall(cast("str", facts["tool"]), arguments, output_text(entry.output), labels, acts)
